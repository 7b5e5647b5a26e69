/** What tells one state of a resource from another (RFC 9110 §8.8). */
export interface Validators {
  /** With its quotes, and with `W/` if it is weak. */
  readonly etag: string
  readonly lastModified: Date
}

/** Commas may be inside an entity tag, so that a list cannot be split at them (RFC 9110 §8.8.3). */
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/** The entity tags of a list, in order; what is no entity tag is left out. */
export function entityTags(list: string): string[] {
  return list.match(ENTITY_TAG) ?? []
}

/** Strong comparison: the same, and neither weak (RFC 9110 §8.8.3.2). */
export function strongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

/** Weak comparison: the same but for `W/` (RFC 9110 §8.8.3.2). */
export function weakMatch(a: string, b: string): boolean {
  return a.replace(/^W\//, '') === b.replace(/^W\//, '')
}

/** The moment of `Last-Modified` as clients are told it: ms since 1970, whole seconds. */
export function modifiedSecond(validators: Validators): number {
  return Math.floor(validators.lastModified.getTime() / 1000) * 1000
}

const MONTH = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
const TIME = '\\d{2}:\\d{2}:\\d{2}'

const IMF_FIXDATE = new RegExp(
  `^[A-Z][a-z]{2}, (?<day>\\d{2}) (?<month>${MONTH}) (?<year>\\d{4}) (?<time>${TIME}) GMT$`,
)
const RFC_850 = new RegExp(`^[A-Z][a-z]{5,8}, (?<day>\\d{2})-(?<month>${MONTH})-(?<year>\\d{2}) (?<time>${TIME}) GMT$`)
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} (?<month>${MONTH}) (?<day>[ \\d]\\d) (?<time>${TIME}) (?<year>\\d{4})$`)

/**
 * The moment that an HTTP-date names, in ms since 1970, or `undefined` if it is none. A recipient must take all three
 * forms, also the two obsolete ones (RFC 9110 §5.6.7). `Date.parse` alone takes far more, and asctime as local time.
 */
export function parseHttpDate(text: string): number | undefined {
  const parts = (IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups
  if (parts === undefined) return undefined
  const { day, month, year, time } = parts
  const moment = Date.parse(`${day} ${month} ${year} ${time} GMT`)
  return Number.isNaN(moment) ? undefined : moment
}
