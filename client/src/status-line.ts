import { formatBytes, percentOf, splitSeconds } from './format.ts'
import { locale, say, t } from './i18n/language.ts'
import type { TextKey } from './i18n/texts.ts'
import type { UploadItem } from './upload-item.ts'

/** The state of an item in words, as it is shown first and read out. */
export function stateText(item: UploadItem): string {
  if (item.state === 'failed' && item.problem !== null) return say(item.problem)
  return t(stateKey(item))
}

/** The figures of an item that mean something in its state: share, speed, time left. */
export function figures(item: UploadItem): string[] {
  if (item.state === 'finished' || item.cancelling || item.sent === null) return []
  const shown: string[] = []
  if (item.sent > 0 || item.state === 'uploading') {
    shown.push(t('row.percent', { percent: percentOf(item.sent, item.size) }))
  }
  const rate = item.state === 'uploading' && item.sent < item.size ? item.meter.rate(performance.now()) : null
  if (rate !== null) {
    shown.push(t('row.rate', { size: formatBytes(rate, locale()) }))
    shown.push(t('row.left', { time: durationText((item.size - item.sent) / rate) }))
  }
  return shown
}

function stateKey(item: UploadItem): TextKey {
  if (item.cancelling) return 'state.cancelling'
  if (item.state !== 'uploading') return `state.${item.state}`
  if (item.retrying) return 'state.retrying'
  if (item.sent === null) return 'state.starting'
  return item.sent >= item.size ? 'state.landing' : 'state.uploading'
}

function durationText(seconds: number): string {
  const { hours, minutes, seconds: rest } = splitSeconds(seconds)
  if (hours > 0) return t('time.hours', { hours, minutes })
  return minutes > 0 ? t('time.minutes', { minutes, seconds: rest }) : t('time.seconds', { seconds: rest })
}
