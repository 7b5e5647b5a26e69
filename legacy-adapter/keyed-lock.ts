/** Serializes work per name. */
export class KeyedLock {
  readonly #last = new Map<string, Promise<void>>()

  /**
   * Runs work when all earlier work of this name has left its line.
   *
   * @param work may call `leave` to admit the next work early; otherwise it leaves when it ends.
   * @throws what `work` throws.
   */
  async hold<T>(name: string, work: (leave: () => void) => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    let leave = (): void => undefined
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    this.#last.set(name, left)
    await before
    try {
      return await work(() => {
        leave()
        if (this.#last.get(name) === left) this.#last.delete(name)
      })
    } finally {
      leave()
      if (this.#last.get(name) === left) this.#last.delete(name)
    }
  }
}
