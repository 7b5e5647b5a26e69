import { formatBytes, percentOf, splitSeconds } from './format.ts'
import { locale } from './i18n/current-language.ts'
import { say, t } from './i18n/language.ts'
import type { TextKey } from './i18n/texts.ts'
import { isAway } from './presence.ts'
import { isSignedOut } from './session.ts'
import type { Phase, UploadItem } from './upload-item.ts'

/** The state of an item as text, shown and announced. */
export function stateText(item: UploadItem): string {
  if (item.state === 'failed' && item.problem !== null) return say(item.problem)
  return t(stateKey(item))
}

/** The phase to show for an uploading item; `away` or `signed-out` while it waits for the service or the visitor. */
export function phaseShown({ state, phase }: UploadItem): Phase | 'away' | 'signed-out' | '' {
  if (state !== 'uploading') return ''
  if (phase !== 'retrying') return phase
  if (isAway()) return 'away'
  return isSignedOut() ? 'signed-out' : phase
}

/** The value of the bar: bytes sent, or the share checked. `part` is null while only the server knows. */
export function shareShown(item: UploadItem): { readonly part: number | null; readonly whole: number } {
  return isChecking(item) ? { part: item.checked, whole: 1 } : { part: item.sent, whole: item.size }
}

/** The figures that its state allows: share, speed, time left. */
export function figures(item: UploadItem): string[] {
  const { part, whole } = shareShown(item)
  if (item.state === 'finished' || item.phase === 'scanning' || item.cancelling || part === null) return []
  const shown: string[] = []
  if (part > 0 || item.state === 'uploading') shown.push(t('row.percent', { percent: percentOf(part, whole) }))
  const rate = phaseShown(item) === 'sending' && part < whole ? item.meter.rate(performance.now()) : null
  if (rate !== null) {
    shown.push(t('row.rate', { size: formatBytes(rate, locale()) }))
    shown.push(t('row.left', { time: durationText((whole - part) / rate) }))
  }
  return shown
}

function isChecking(item: UploadItem): boolean {
  return item.state === 'comparing' || phaseShown(item) === 'checking'
}

function stateKey(item: UploadItem): TextKey {
  if (item.cancelling) return 'state.cancelling'
  if (item.state === 'comparing') return 'state.checking'
  if (item.state !== 'uploading') return `state.${item.state}`
  const phase = phaseShown(item)
  if (phase !== 'sending' && phase !== '') return `state.${phase}`
  if (item.sent === null) return 'state.starting'
  return item.sent >= item.size ? 'state.landing' : 'state.uploading'
}

function durationText(seconds: number): string {
  const { hours, minutes, seconds: rest } = splitSeconds(seconds)
  if (hours > 0) return t('time.hours', { hours, minutes })
  return minutes > 0 ? t('time.minutes', { minutes, seconds: rest }) : t('time.seconds', { seconds: rest })
}
