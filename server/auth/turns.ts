/** Runs a bounded number of calls concurrently; a bounded number of others waits. */
export class Turns {
  readonly #mostRunning: number
  readonly #mostWaiting: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(mostRunning: number, mostWaiting: number) {
    this.#mostRunning = mostRunning
    this.#mostWaiting = mostWaiting
  }

  /** @throws the reason of `signal`, which ends the wait; Error if too many calls wait; what `work` throws. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#mostRunning) this.#running += 1
    else await this.#wait(signal)
    try {
      return await work()
    } finally {
      const [first] = this.#waiting
      // The first waiting call takes the place, and counts as running from now on.
      if (first === undefined) this.#running -= 1
      else first()
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#mostWaiting) throw new Error('too many calls are waiting.')
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(begin)
        reject(signal.reason)
      }
      const begin = (): void => {
        this.#waiting.delete(begin)
        signal.removeEventListener('abort', abort)
        resolve()
      }
      this.#waiting.add(begin)
      signal.addEventListener('abort', abort, { once: true })
    })
  }
}
