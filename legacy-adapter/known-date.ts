/** JavaScript's `Date.prototype.toString` up to its offset; the zone name after it is localized. */
const SHAPE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d{2} \d{4,6} \d{2}:\d{2}:\d{2} GMT[+-]\d{4}(?= \(|$)/

/**
 * The instant of a `lastModifiedDate`, in milliseconds since 1970; `undefined` for any other text. In browsers without
 * `File.lastModifiedDate`, WebUploader sends the localized time of the selection, which says nothing about the file.
 */
export function knownDate(text: string | null | undefined): number | undefined {
  const found = SHAPE.exec(text ?? '')
  const instant = found === null ? Number.NaN : Date.parse(found[0])
  return Number.isNaN(instant) ? undefined : instant
}
