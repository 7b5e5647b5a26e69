import { percentOf } from '../../src/format.ts'
import type { TextKey } from '../i18n/en.ts'
import type { Language } from '../i18n/language.ts'
import type { Phase, UploadItem } from '../queue/upload-item.ts'
import type { Service } from '../service/service.ts'

/** What a row shows beside its item. */
export interface Surroundings {
  readonly language: Language
  readonly service: Service
  /** Whether files wait for `start()`. */
  readonly isManual: boolean
}

/** The state of an item as text, shown and announced. */
export function stateText(item: UploadItem, { language, service, isManual }: Surroundings): string {
  if (item.state === 'failed' && item.problem !== null) return language.say(item.problem)
  if (item.state === 'paused' && isManual && item.url === null) return language.t('state.ready')
  return language.t(stateKey(item, service))
}

/** The phase to show for an uploading item; `away` or `signed-out` while it waits for the service or the visitor. */
export function phaseShown({ state, phase }: UploadItem, service: Service): Phase | 'away' | 'signed-out' | '' {
  if (state !== 'uploading') return ''
  if (phase !== 'retrying') return phase
  if (service.presence.isAway) return 'away'
  return service.visitor.isSignedOut ? 'signed-out' : phase
}

/** The value of the bar: bytes sent, or the share checked. `part` is null while only the server knows. */
export function shareShown(item: UploadItem): { readonly part: number | null; readonly whole: number } {
  return isChecking(item) ? { part: item.checked, whole: 1 } : { part: item.sent, whole: item.size }
}

/** The figures that its state allows: share, speed, time left. */
export function figures(item: UploadItem, { language, service }: Surroundings): string[] {
  const { part, whole } = shareShown(item)
  if (item.state === 'finished' || item.phase === 'scanning' || item.refused || part === null) return []
  const shown: string[] = []
  if (part > 0 || item.state === 'uploading') {
    shown.push(language.t('row.percent', { percent: percentOf(part, whole) }))
  }
  const rate = phaseShown(item, service) === 'sending' && part < whole ? item.meter.rate(performance.now()) : null
  if (rate !== null) {
    shown.push(language.t('row.rate', { size: { bytes: rate } }))
    shown.push(language.t('row.left', { time: language.duration((whole - part) / rate) }))
  }
  return shown
}

function isChecking(item: UploadItem): boolean {
  return item.state === 'comparing' || (item.state === 'uploading' && item.phase === 'checking')
}

function stateKey(item: UploadItem, service: Service): TextKey {
  if (item.state === 'comparing') return 'state.checking'
  if (item.state === 'remembered') return item.handle === null ? 'state.remembered' : 'state.asking'
  if (item.state !== 'uploading') return `state.${item.state}`
  const phase = phaseShown(item, service)
  if (phase === 'away') return navigator.onLine ? 'state.away' : 'state.offline'
  if (phase !== 'sending' && phase !== '') return `state.${phase}`
  if (item.sent === null) return 'state.starting'
  return item.sent >= item.size ? 'state.landing' : 'state.uploading'
}
