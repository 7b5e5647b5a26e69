/** Runs work with a common key in order, and all other work concurrently. */
export class KeyedQueue {
  /** By key: its latest work that is queued or running. */
  readonly #last = new Map<string, Promise<unknown>>()

  /**
   * Runs `work` when all earlier work with one of these keys has ended, successfully or not. It queues under all keys
   * at once, so work with several keys cannot deadlock.
   *
   * @throws what `work` throws.
   */
  run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = keys.flatMap((key) => this.#last.get(key) ?? [])
    const done = Promise.allSettled(before).then(work)
    for (const key of keys) this.#last.set(key, done)
    const leave = (): void => {
      for (const key of keys) if (this.#last.get(key) === done) this.#last.delete(key)
    }
    done.then(leave, leave)
    return done
  }
}
