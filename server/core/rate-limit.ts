import { setTimeout as wait } from 'node:timers/promises'
import { MAX_WAIT } from './deadline.ts'
import { UploadError } from './errors.ts'

const MINUTE = 60_000
/** How much of a minute's amount may come at once. */
const BURST = 1 / 6
/** Maximum waiting calls per key. */
const MAX_WAITING = 1_000
/** Maximum remembered keys. */
const MAX_KEYS = 100_000

/** Limits calls per key and minute. Calls beyond the limit are delayed; only those that would wait too long fail. */
export class RateLimit {
  readonly #interval: number
  readonly #burst: number
  readonly #most: number
  readonly #sentence: string
  readonly #now: () => number
  /** By key: when its next call would be due without bursts. A key without an entry has made no recent call. */
  readonly #due = new Map<string, number>()

  /**
   * @param perMinute calls per minute; `Infinity` for no limit.
   * @param sentence the error message.
   * @param now monotonic time, in milliseconds.
   */
  constructor(perMinute: number, sentence: string, now: () => number = () => performance.now()) {
    this.#interval = MINUTE / perMinute
    this.#burst = MINUTE * BURST
    this.#most = Math.min(MAX_WAIT, MAX_WAITING * this.#interval)
    this.#sentence = sentence
    this.#now = now
  }

  /**
   * Waits until a call of `key` is due; `undefined` if it is due at once.
   *
   * @throws UploadError `too_many_requests`.
   */
  turn(key: string): Promise<void> | undefined {
    if (this.#interval === 0) return undefined
    const now = this.#now()
    const due = Math.max(this.#due.get(key) ?? 0, now)
    const delay = due - this.#burst - now
    if (delay > this.#most) {
      const seconds = Math.ceil((delay - this.#most) / 1000)
      throw new UploadError('too_many_requests', this.#sentence, { details: { retry_after: seconds } })
    }
    if (!this.#due.has(key) && this.#due.size >= MAX_KEYS) this.#forget(now)
    this.#due.set(key, due + this.#interval)
    return delay > 0 ? wait(delay) : undefined
  }

  /** Forgets keys without recent calls, or else the one that came first. */
  #forget(now: number): void {
    for (const [key, due] of this.#due) if (due <= now) this.#due.delete(key)
    const [first] = this.#due.keys()
    if (first !== undefined && this.#due.size >= MAX_KEYS) this.#due.delete(first)
  }
}
