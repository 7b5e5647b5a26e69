/** The shape of JavaScript's `Date.prototype.toString` up to its offset; the name of the zone behind it varies with the language. */
const SHAPE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d{2} \d{4,6} \d{2}:\d{2}:\d{2} GMT[+-]\d{4}(?= \(|$)/

/**
 * The instant that a `lastModifiedDate` names, in milliseconds since 1970; `undefined` for any other text. A browser without
 * `File.lastModifiedDate` makes WebUploader send the localized time at which the file was chosen, which says nothing of the file.
 */
export function knownDate(text: string | null | undefined): number | undefined {
  const found = SHAPE.exec(text ?? '')
  const instant = found === null ? Number.NaN : Date.parse(found[0])
  return Number.isNaN(instant) ? undefined : instant
}
