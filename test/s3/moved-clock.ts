import type { Clock } from '../../server/s3/clock.ts'

/** A clock that the test moves; it begins with the real time. */
export class MovedClock implements Clock {
  #time = Date.now()
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>()

  now(): number {
    return this.#time
  }

  elapsed(): number {
    return this.#time
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const abort = (): void => reject(signal?.reason)
      signal?.addEventListener('abort', abort, { once: true })
      const wake = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      this.#sleepers.add({ until: this.#time + ms, wake })
    })
  }

  /** @param by milliseconds. */
  move(by: number): void {
    this.#time += by
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#time) continue
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
}
