import { type Ranges, total } from '../core/ranges.ts'
import type { UploadRecord } from '../core/record.ts'
import type { UploadState } from '../core/upload-state.ts'
import type { Uploads } from '../core/uploads.ts'

/** How often open uploads are looked at, in milliseconds. */
const SAMPLE_EVERY = 1_000

/** Of a rate, how much each sample changes it. */
const WEIGHT = 0.4

interface Sample {
  readonly received: Ranges
  readonly record: UploadRecord
  readonly state: UploadState
  /** Bytes. */
  readonly total: number
  /** Bytes per second. */
  readonly rate: number
}

/**
 * What open uploads receive, by looking at them once a second: nothing has to be counted while bytes arrive. A file that
 * begins and ends between two looks is counted when it is finished.
 */
export class LiveUploads {
  readonly #uploads: Uploads
  readonly #onChange: (id: string) => void
  readonly #timer: NodeJS.Timeout
  #samples = new Map<string, Sample>()
  #finishedBytes = 0
  #rate = 0
  #active = 0
  #sampledAt = performance.now()

  /** @param onChange called with each upload whose bytes or state have changed. */
  constructor(uploads: Uploads, onChange: (id: string) => void) {
    this.#uploads = uploads
    this.#onChange = onChange
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY).unref()
  }

  /** Bytes per second that this node receives. */
  get rate(): number {
    return this.#rate
  }

  /** Uploads that currently receive bytes. */
  get active(): number {
    return this.#active
  }

  /** Bytes per second that an upload receives. */
  rateOf(id: string): number {
    return this.#samples.get(id)?.rate ?? 0
  }

  /** Notes that an upload was finished. */
  finished(id: string, length: number): void {
    this.#finishedBytes += Math.max(0, length - (this.#samples.get(id)?.total ?? 0))
    this.#samples.delete(id)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    const now = performance.now()
    const seconds = Math.max(0.1, (now - this.#sampledAt) / 1000)
    this.#sampledAt = now
    const samples = new Map<string, Sample>()
    let bytes = this.#finishedBytes
    let active = 0
    this.#finishedBytes = 0
    for (const upload of this.#uploads.opened()) {
      if (upload.finishedAt !== undefined) continue
      const { record, received, state } = upload
      const before = this.#samples.get(record.id)
      if (upload.receiving.isRunning) active += 1
      const sum = before?.received === received ? before.total : total(received)
      // Of an upload that has just been opened, nothing is known to be new.
      const added = before === undefined ? 0 : Math.max(0, sum - before.total)
      bytes += added
      const rate = (before?.rate ?? 0) * (1 - WEIGHT) + (added / seconds) * WEIGHT
      samples.set(record.id, { received, record, state, total: sum, rate: rate < 1 ? 0 : rate })
      const isSame = before?.received === received && before.record === record && before.state === state
      if (!isSame) this.#onChange(record.id)
    }
    this.#samples = samples
    this.#active = active
    const rate = this.#rate * (1 - WEIGHT) + (bytes / seconds) * WEIGHT
    this.#rate = rate < 1 ? 0 : rate
  }
}
