import { UploadError } from './errors.ts'

interface Turn {
  superseded: boolean
  readonly over: Promise<void>
}

/**
 * The requests that go on with one upload, one after the other: a newer one ends the one before, also while that does not bring
 * bytes yet, or no longer, and begins when it is over.
 */
export class Turns {
  #current: Turn | undefined

  /** Tells the request whose turn it is that a newer one has come. @returns when it is over. */
  async end(): Promise<void> {
    const turn = this.#current
    if (turn === undefined) return
    turn.superseded = true
    await turn.over
  }

  /**
   * Does the work of a request when those before are over.
   *
   * @param work is given what throws UploadError `superseded` once a newer request has come; to be asked before it changes anything.
   * @throws UploadError `superseded`, and what `work` throws.
   */
  async take<T>(work: (check: () => void) => Promise<T>): Promise<T> {
    const before = this.end()
    let finish = (): void => undefined
    const over = new Promise<void>((resolve) => {
      finish = resolve
    })
    const turn: Turn = { superseded: false, over }
    this.#current = turn
    const check = (): void => {
      if (turn.superseded) throw new UploadError('superseded', 'A newer request goes on with this upload.')
    }
    try {
      await before
      check()
      return await work(check)
    } finally {
      finish()
      if (this.#current === turn) this.#current = undefined
    }
  }
}
