import type { UploadItem } from './queue/upload-item.ts'

/** How often a file reports progress at most, in milliseconds. */
const PROGRESS_EVERY = 100

/** What happened to a file. */
export type Happening = 'add' | 'reject' | 'start' | 'progress' | 'pause' | 'resume' | 'retry' | 'finish' | 'error'

interface Last {
  readonly state: UploadItem['state']
  readonly phase: UploadItem['phase']
  readonly hasStarted: boolean
  readonly time: number
}

/** Turns changes of items into what happened to them. */
export class FileEvents {
  readonly #report: (item: UploadItem, what: Happening) => void
  readonly #last = new WeakMap<UploadItem, Last>()

  constructor(report: (item: UploadItem, what: Happening) => void) {
    this.#report = report
  }

  /** An item is in the list. */
  added(item: UploadItem): void {
    const { state, phase } = item
    const isKnown = this.#last.has(item)
    this.#last.set(item, { state, phase, hasStarted: false, time: 0 })
    if (!isKnown) this.#report(item, item.refused ? 'reject' : 'add')
  }

  /** An item has changed. `time` is in milliseconds of any clock. */
  changed(item: UploadItem, time: number): void {
    const last = this.#last.get(item)
    if (last === undefined) return
    const { state, phase } = item
    const what = happening(item, last, time)
    const hasStarted = last.hasStarted || state === 'uploading'
    this.#last.set(item, { state, phase, hasStarted, time: what === null ? last.time : time })
    if (what !== null) this.#report(item, what)
  }
}

function happening({ state, phase }: UploadItem, last: Last, time: number): Happening | null {
  if (state !== last.state) {
    if (state === 'uploading') return last.hasStarted ? 'resume' : 'start'
    if (state === 'paused') return 'pause'
    if (state === 'finished') return 'finish'
    return state === 'failed' ? 'error' : null
  }
  if (state !== 'uploading') return null
  if (phase === 'retrying') return last.phase === 'retrying' ? null : 'retry'
  return phase === 'sending' && time - last.time >= PROGRESS_EVERY ? 'progress' : null
}
