import { SpeedMeter } from './speed.ts'
import type { UploadItem } from './upload-item.ts'

/** Files of the list, and how many of them are finished, have failed, and so on. */
export interface Counts {
  readonly all: number
  readonly finished: number
  readonly failed: number
  readonly paused: number
  /** Files that upload or wait for their turn, but not those of which the server has every byte. */
  readonly running: number
}

/** The current batch of files as a whole. Sizes in bytes. */
export interface Total extends Counts {
  /** Files that their user must choose again, and those that the browser can open after a question. */
  readonly lacking: number
  readonly askable: number
  /** Files, and bytes, of the batch. */
  readonly files: number
  readonly sent: number
  readonly size: number
  /** Bytes per second, or null if unknown. */
  readonly rate: number | null
}

/**
 * Adds up the files of a list. A batch begins when files are added while nothing uploads; what was finished before does
 * not count.
 */
export class Totals {
  readonly #meter = new SpeedMeter()
  #before = new WeakSet<UploadItem>()
  #wasRunning = false

  /** `time` is in milliseconds of any clock. */
  of(items: readonly UploadItem[], time: number): Total {
    const counts = { finished: 0, failed: 0, paused: 0, running: 0, lacking: 0, askable: 0 }
    let [files, sent, size, live] = [0, 0, 0, false]
    const isNew = !this.#wasRunning
    for (const item of items) {
      const { state, phase } = item
      const isRunning = state === 'waiting' || state === 'comparing' || state === 'uploading'
      if (isRunning) counts.running += 1
      if (state === 'finished') counts.finished += 1
      if (state === 'failed') counts.failed += 1
      if (state === 'paused') counts.paused += 1
      if (state === 'remembered') counts[item.handle === null ? 'lacking' : 'askable'] += 1
      if (state === 'finished' && (isNew || item.isFromBefore)) this.#before.add(item)
      if (state === 'failed' || state === 'remembered' || this.#before.has(item)) continue
      files += 1
      size += item.size
      sent += item.sent ?? 0
      live ||= state === 'uploading' && phase !== 'retrying'
    }
    this.#wasRunning = counts.running > 0
    if (live) this.#meter.report(sent, time)
    else this.#meter.reset()
    return { all: items.length, ...counts, files, sent, size, rate: this.#meter.rate(time) }
  }
}
