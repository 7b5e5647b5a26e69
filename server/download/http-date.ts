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

/** `moment` in ms since 1970 without its fraction of a second, which an HTTP-date cannot say. */
export function wholeSeconds(moment: number): number {
  return Math.floor(moment / 1000) * 1000
}
