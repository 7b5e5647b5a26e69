import { UploadError } from './errors.ts'
import type { Space } from './store.ts'

/** How long a measurement is valid, in milliseconds. */
const VALID = 1_000
/** Minimum time between two notices to the operator, in milliseconds. */
const NOTICE_EVERY = 600_000
/** On a small disk, at most this share is kept free. */
const MAX_SHARE = 0.1

/** Keeps a part of the disk free: requests fail before the disk is full. */
export class Headroom {
  readonly #measure: () => Promise<Space>
  readonly #minFree: number
  readonly #minFreeInodes: number
  #measuredAt = Number.NEGATIVE_INFINITY
  /** What may still be used until the next measurement. */
  #bytes = 0
  #inodes = 0
  #measuring: Promise<void> | undefined
  readonly #onNotice: (sentence: string) => void
  #noticedAt = Number.NEGATIVE_INFINITY

  /**
   * @param minFree bytes, and `minFreeInodes` inodes, that stay free; 0 to use all.
   * @param onNotice receives a sentence for the operator when uploads are refused.
   */
  constructor(
    measure: () => Promise<Space>,
    minFree: number,
    minFreeInodes: number,
    onNotice: (sentence: string) => void = () => undefined,
  ) {
    this.#measure = measure
    this.#onNotice = onNotice
    this.#minFree = minFree
    this.#minFreeInodes = minFreeInodes
  }

  /**
   * Takes the room for `bytes` that are about to be written, 0 for a new upload. Returns `undefined` if it is known to
   * be there.
   *
   * @throws UploadError `no_space`, `storage_error`.
   */
  take(bytes: number): Promise<void> | undefined {
    if (this.#minFree === 0 && this.#minFreeInodes === 0) return undefined
    if (performance.now() - this.#measuredAt >= VALID || !this.#isEnough(bytes)) return this.#takeMeasured(bytes)
    this.#bytes -= bytes
    return undefined
  }

  async #takeMeasured(bytes: number): Promise<void> {
    this.#measuring ??= this.#remeasure().finally(() => {
      this.#measuring = undefined
    })
    await this.#measuring
    if (!this.#isEnough(bytes)) {
      this.#notify()
      throw new UploadError('no_space', 'Not enough disk space for this upload.')
    }
    this.#bytes -= bytes
  }

  #notify(): void {
    if (performance.now() - this.#noticedAt < NOTICE_EVERY) return
    this.#noticedAt = performance.now()
    this.#onNotice('Uploads are refused: less than MIN_FREE or MIN_FREE_INODES of the disk would stay free.')
  }

  async #remeasure(): Promise<void> {
    const { bytes, freeBytes, inodes, freeInodes } = await this.#measure()
    this.#bytes = usable(freeBytes, bytes, this.#minFree)
    this.#inodes = usable(freeInodes, inodes, this.#minFreeInodes)
    this.#measuredAt = performance.now()
  }

  #isEnough(bytes: number): boolean {
    return this.#bytes >= bytes && this.#inodes > 0
  }
}

function usable(free: number, size: number, keptFree: number): number {
  return keptFree === 0 ? Number.POSITIVE_INFINITY : free - Math.min(keptFree, size * MAX_SHARE)
}
