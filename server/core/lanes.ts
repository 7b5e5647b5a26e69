import { MAX_WAIT, waitAtMost } from './deadline.ts'
import { UploadError } from './errors.ts'
import { KeyedSlots } from './slots.ts'

/** Maximum waiting calls per key. */
const MAX_WAITING = 1_000
/** When a refused call may try again, in seconds. */
const RETRY_AFTER = 5

/** Lets a few calls per key run at once; others wait, in order, or are refused. */
export class Lanes {
  readonly #slots: KeyedSlots
  readonly #sentence: string

  /**
   * @param max how many calls of a key may run at once; `Infinity` for no limit.
   * @param sentence the error message.
   */
  constructor(max: number, sentence: string) {
    this.#slots = new KeyedSlots(max, MAX_WAITING)
    this.#sentence = sentence
  }

  /**
   * Waits until a call of `key` may run.
   *
   * @returns a function to call when it has run; further calls do nothing.
   * @throws UploadError `too_many_requests`.
   */
  async enter(key: string): Promise<() => void> {
    // Mostly nothing runs, and a wait needs a timer and a signal.
    const leave = this.#slots.tryEnter(key)
    if (leave !== undefined) return leave
    const abort = new AbortController()
    const entered = this.#slots.enter(key, abort.signal)
    try {
      return await waitAtMost(MAX_WAIT, entered, this.#sentence, (reason) => abort.abort(reason))
    } catch {
      throw new UploadError('too_many_requests', this.#sentence, { details: { retry_after: RETRY_AFTER } })
    }
  }
}
