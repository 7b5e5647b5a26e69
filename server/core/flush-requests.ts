/** Requests to count what a stream has written so far, from those who will tell its offset. */
export class FlushRequests {
  readonly #waiting = new Set<() => void>()
  #isOver = false
  #onWanted: (() => void) | undefined

  /** Runs `work`, and calls `onWanted` when somebody waits meanwhile, or does so already. */
  async during<T>(work: Promise<T>, onWanted: () => void): Promise<T> {
    this.#onWanted = onWanted
    if (this.#waiting.size > 0) onWanted()
    try {
      return await work
    } finally {
      this.#onWanted = undefined
    }
  }

  /** Waits until what has been written so far counts, or never will. */
  async flushed(): Promise<void> {
    if (this.#isOver) return
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve)
      this.#onWanted?.()
    })
  }

  /** Everything that has been written counts. */
  serve(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** Nothing more will be written. */
  end(): void {
    this.#isOver = true
    this.serve()
  }
}
