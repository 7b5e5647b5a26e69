import { setText } from '../../src/dom.ts'
import { locale } from '../../src/i18n/current-language.ts'
import { t } from './i18n/language.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A duration in its largest unit: `5 min`. @param seconds at least 0. */
export function spanText(seconds: number): string {
  if (seconds < MINUTE) return t('time.seconds', { count: Math.floor(seconds) })
  if (seconds < HOUR) return t('time.minutes', { count: Math.floor(seconds / MINUTE) })
  if (seconds < 2 * DAY) return t('time.hours', { count: Math.floor(seconds / HOUR) })
  return t('time.days', { count: Math.floor(seconds / DAY) })
}

/** How long ago a time was. @param time ISO 8601. */
export function ageText(time: string): string {
  const seconds = (Date.now() - Date.parse(time)) / 1000
  // Clocks differ.
  return seconds < 2 ? t('time.now') : t('time.ago', { time: spanText(seconds) })
}

/** A time with its date, of this place. @param time ISO 8601, or milliseconds since 1970. */
export function timeText(time: string | number): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(time))
}

/** A `<time>` with how long ago it was; its title is the time. */
export function showAge(target: HTMLTimeElement, time: string): void {
  const text = ageText(time)
  target.dateTime = time
  target.title = timeText(time)
  setText(target, text)
}
