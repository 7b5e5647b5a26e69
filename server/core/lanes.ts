import { MAX_WAIT, waitAtMost } from './deadline.ts'
import { UploadError } from './errors.ts'

/** Maximum waiting calls per key. */
const MAX_WAITING = 1_000
/** When a refused call may try again, in seconds. */
const RETRY_AFTER = 5

/** The running and waiting calls of a key. */
interface Lane {
  running: number
  readonly waiting: Set<() => void>
}

/** Lets a few calls per key run at once; others wait, in order. */
export class Lanes {
  readonly #most: number
  readonly #sentence: string
  readonly #lanes = new Map<string, Lane>()

  /**
   * @param most how many calls of a key may run at once; `Infinity` for no limit.
   * @param sentence the error message.
   */
  constructor(most: number, sentence: string) {
    this.#most = most
    this.#sentence = sentence
  }

  /**
   * Waits until a call of `key` may run.
   *
   * @returns a function to call when it has run; further calls do nothing.
   * @throws UploadError `too_many_requests`.
   */
  async enter(key: string): Promise<() => void> {
    const lane = this.#lanes.get(key) ?? { running: 0, waiting: new Set() }
    this.#lanes.set(key, lane)
    if (lane.running < this.#most) lane.running += 1
    else await this.#wait(lane)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const [next] = lane.waiting
      // The next one takes the place.
      if (next !== undefined) next()
      else lane.running -= 1
      if (lane.running === 0) this.#lanes.delete(key)
    }
  }

  async #wait({ waiting }: Lane): Promise<void> {
    if (waiting.size >= MAX_WAITING) throw this.#refusal()
    let begin = (): void => undefined
    const turn = new Promise<void>((resolve) => {
      begin = () => {
        waiting.delete(begin)
        resolve()
      }
      waiting.add(begin)
    })
    await waitAtMost(MAX_WAIT, turn, this.#sentence, () => waiting.delete(begin)).catch(() => {
      throw this.#refusal()
    })
  }

  #refusal(): UploadError {
    return new UploadError('too_many_requests', this.#sentence, { details: { retry_after: RETRY_AFTER } })
  }
}
