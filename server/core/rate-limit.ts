import { setTimeout as wait } from 'node:timers/promises'
import { MAX_WAIT } from './deadline.ts'
import { UploadError } from './errors.ts'

const MINUTE = 60_000
/** How much of a minute's amount may come at once. */
const BURST = 1 / 6
/** Maximum waiting calls per key. */
const MAX_WAITING = 1_000
/** While others need the service, each key has this share of the amount, and half of the burst. */
const SHARE = 1 / 10
const SHARED_BURST = BURST / 2 / SHARE
/** Keys are forgotten after two to four minutes, or earlier when there are more than this. */
const MAX_RECENT = 50_000

/** When the next call of a key would be due without bursts: if it is alone, and if others need the service. */
interface Due {
  readonly alone: number
  readonly shared: number
}

const NEVER: Due = { alone: 0, shared: 0 }

/** Limits calls per key and minute. Calls beyond the limit are delayed; only those that would wait too long fail. */
export class RateLimit {
  readonly #interval: number
  readonly #longest: number
  readonly #sentence: string
  readonly #now: () => number
  /** By key; one without an entry has made no recent call. */
  #recent = new Map<string, Due>()
  #earlier = new Map<string, Due>()
  #turnedAt: number

  /**
   * @param perMinute calls per minute; `Infinity` for no limit.
   * @param sentence the error message.
   * @param now monotonic time, in milliseconds.
   */
  constructor(perMinute: number, sentence: string, now: () => number = () => performance.now()) {
    this.#interval = MINUTE / perMinute
    this.#longest = Math.min(MAX_WAIT, MAX_WAITING * this.#interval)
    this.#sentence = sentence
    this.#now = now
    this.#turnedAt = now()
  }

  /**
   * Waits until a call of `key` is due; `undefined` if it is due at once.
   *
   * @param isShared whether others need the service now.
   * @throws UploadError `too_many_requests`.
   */
  turn(key: string, isShared = false): Promise<void> | undefined {
    if (this.#interval === 0) return undefined
    const now = this.#now()
    const known = this.#recent.get(key) ?? this.#earlier.get(key) ?? NEVER
    const [alone, shared] = [Math.max(known.alone, now), Math.max(known.shared, now)]
    const sharedBurst = now + MINUTE * SHARED_BURST
    const delay = Math.max(alone - MINUTE * BURST - now, isShared ? shared - sharedBurst : 0)
    if (delay > this.#longest) {
      const seconds = Math.ceil((delay - this.#longest) / 1000)
      throw new UploadError('too_many_requests', this.#sentence, { details: { retry_after: seconds } })
    }
    this.#forget(now)
    const next = shared + this.#interval / SHARE
    // What a key has taken while it was alone only uses up its burst.
    this.#recent.set(key, { alone: alone + this.#interval, shared: isShared ? next : Math.min(next, sharedBurst) })
    // A stop does not wait for it.
    return delay > 0 ? wait(delay, undefined, { ref: false }) : undefined
  }

  #forget(now: number): void {
    if (now - this.#turnedAt < 2 * MINUTE && this.#recent.size < MAX_RECENT) return
    this.#earlier = this.#recent
    this.#recent = new Map()
    this.#turnedAt = now
  }
}
