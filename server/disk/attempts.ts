/** How a write attempt ended. */
type Outcome = 'counts' | 'refused'

/**
 * Counts the concurrent write attempts on one file. Refused bytes are cut off only when no attempt is running, because
 * others may write after them; a new attempt waits for the cut.
 */
export class Attempts {
  readonly #cutOff: () => Promise<void>
  #running = 0
  #isCutDue = false
  #cutting: Promise<void> | undefined

  /** @param cutOff cuts off the bytes that do not count. */
  constructor(cutOff: () => Promise<void>) {
    this.#cutOff = cutOff
  }

  /**
   * Begins an attempt. @returns a function that ends it, once all its writes have returned; a second call does nothing.
   */
  async begin(): Promise<(outcome: Outcome) => Promise<void>> {
    this.#running += 1
    if (this.#cutting !== undefined) await this.#cutting
    let hasEnded = false
    return async (outcome) => {
      if (hasEnded) return
      hasEnded = true
      this.#running -= 1
      if (outcome === 'refused') this.#isCutDue = true
      if (this.#isCutDue && this.#running === 0) await this.#cut()
    }
  }

  async #cut(): Promise<void> {
    this.#isCutDue = false
    // If the cut fails, the bytes still do not count; finishing or reopening the upload removes them.
    this.#cutting = this.#cutOff()
      .catch(() => undefined)
      .finally(() => {
        this.#cutting = undefined
      })
    await this.#cutting
  }
}
