import { waitAtMost } from './deadline.ts'

/** Wait before the first retry, in milliseconds; each further wait is twice as long. */
const FIRST_RETRY_DELAY = 5_000
const MAX_RETRY_DELAY = 60_000

/** A step on the way to the finished file: one attempt at a time, retried with backoff. */
export class Finishing {
  readonly #isDue: () => boolean
  readonly #finish: () => Promise<void>
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #retryAfter = FIRST_RETRY_DELAY

  /**
   * @param isDue whether the upload is at this step.
   * @param finish takes the step, or throws; it is retried while it is due.
   */
  constructor(isDue: () => boolean, finish: () => Promise<void>) {
    this.#isDue = isDue
    this.#finish = finish
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Whether it is running or will be retried. */
  get isPending(): boolean {
    return this.isRunning || this.#retry !== undefined
  }

  /** Starts an attempt if it is due and none is running. */
  start(): void {
    if (!this.#isDue() || this.#running !== undefined) return
    this.cancelRetry()
    this.#running = this.#try()
    // Callers that wait for the outcome receive the error from `outcome`.
    this.#running.catch(() => undefined)
  }

  /** Starts an attempt at once, if one is due, and later retries begin with a short wait again. */
  startNow(): void {
    this.#retryAfter = FIRST_RETRY_DELAY
    this.start()
  }

  /** Waits for the running attempt, at most `ms` milliseconds. @throws UploadError `busy`, and what `finish` threw. */
  async outcome(ms: number): Promise<void> {
    await waitAtMost(ms, this.#running ?? Promise.resolve(), 'The file is still being finished.')
  }

  /** Waits until no attempt is running, successful or not. */
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
    this.#retryAfter = Math.min(this.#retryAfter * 2, MAX_RETRY_DELAY)
  }
}
