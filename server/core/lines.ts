/** Work that is kept in order where it has a key in common, and waits for nothing else. */
export class Lines {
  /** The last work of each key that has any. */
  readonly #last = new Map<string, Promise<unknown>>()

  /**
   * Does the work when all earlier work with one of these keys is over, however that ended. Every line is joined at once, so that
   * work with several keys never waits in a circle.
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
