/** Validators of a file's state (RFC 9110 §8.8). */
export interface Validators {
  /** With its quotes, and with `W/` if it is weak. */
  readonly etag: string
  readonly lastModified: Date
}

/** Entity tags may contain commas, so a list cannot be split at them (RFC 9110 §8.8.3). */
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/** The entity tags of a list, in order; malformed ones are skipped. */
export function entityTags(list: string): string[] {
  return list.match(ENTITY_TAG) ?? []
}

/** Strong comparison: equal, and neither is weak (RFC 9110 §8.8.3.2). */
export function strongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

/** Weak comparison: equal, apart from `W/` (RFC 9110 §8.8.3.2). */
export function weakMatch(a: string, b: string): boolean {
  return a.replace(/^W\//, '') === b.replace(/^W\//, '')
}

/** The time of `Last-Modified`: ms since 1970, in whole seconds. */
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
 * The time of an HTTP-date, in ms since 1970; `undefined` if it is malformed. A recipient must accept all three forms,
 * including the two obsolete ones (RFC 9110 §5.6.7). `Date.parse` alone accepts more, and reads asctime as local time.
 */
export function parseHttpDate(text: string): number | undefined {
  const parts = (IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups
  if (parts === undefined) return undefined
  const { day, month, year, time } = parts
  const moment = Date.parse(`${day} ${month} ${year} ${time} GMT`)
  return Number.isNaN(moment) ? undefined : moment
}
