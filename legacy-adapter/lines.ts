/** One line per name: the work in a line is done one after the other. */
export class Lines {
  readonly #last = new Map<string, Promise<void>>()

  /**
   * Does work when all before it in the line have left.
   *
   * @param work calls `leave` when the next one may begin, or leaves with its end.
   * @throws what `work` throws.
   */
  async take<T>(name: string, work: (leave: () => void) => Promise<T>): Promise<T> {
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
