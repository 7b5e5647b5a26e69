import { withPatience } from './patience.ts'

const FIRST_RETRY = 5_000
const LAST_RETRY = 60_000

/** The way of one upload to its finished file: walked by one at a time, and taken up again after a while when it failed. */
export class Finishing {
  readonly #isDue: () => boolean
  readonly #finish: () => Promise<void>
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #retryAfter = FIRST_RETRY

  /**
   * @param isDue whether all bytes are there and the file is not finished yet.
   * @param finish makes the finished file, or throws; it is not tried again when it is no longer due then.
   */
  constructor(isDue: () => boolean, finish: () => Promise<void>) {
    this.#isDue = isDue
    this.#finish = finish
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Whether it runs, or will be tried again. */
  get isPending(): boolean {
    return this.isRunning || this.#retry !== undefined
  }

  /** Begins if it is due and nobody has. */
  start(): void {
    if (!this.#isDue() || this.#running !== undefined) return
    this.cancelRetry()
    this.#running = this.#try()
    // Whoever waits for the outcome gets the error from `outcome`.
    this.#running.catch(() => undefined)
  }

  /** Waits for what runs, up to `patience` milliseconds. @throws UploadError `busy` after that, and what `finish` threw. */
  async outcome(patience: number): Promise<void> {
    await withPatience(this.#running ?? Promise.resolve(), patience, 'The file is still being finished.')
  }

  /** Waits until nothing runs, whatever comes of it. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined)
  }

  cancelRetry(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
  }

  async #try(): Promise<void> {
    try {
      await this.#finish()
    } catch (error) {
      if (this.#isDue()) this.#tryLater()
      throw error
    } finally {
      this.#running = undefined
    }
  }

  #tryLater(): void {
    this.#retry = setTimeout(() => this.start(), this.#retryAfter)
    this.#retry.unref()
    this.#retryAfter = Math.min(this.#retryAfter * 2, LAST_RETRY)
  }
}
