/** How an attempt at writing has ended. */
type Outcome = 'counts' | 'refused'

/**
 * Counts the attempts at writing to one file. Refused bytes are cut off when no attempt runs any more, because others may write behind
 * them; an attempt that begins meanwhile waits.
 */
export class Attempts {
  readonly #cutOff: () => Promise<void>
  #running = 0
  #isCutDue = false
  #cutting: Promise<void> | undefined

  /** @param cutOff cuts off what does not count. */
  constructor(cutOff: () => Promise<void>) {
    this.#cutOff = cutOff
  }

  /** Begins an attempt. @returns what ends it, when all its writes have returned; a second call does nothing. */
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
    // What cannot be cut off now does not count all the same, and goes when the upload is finished or opened again.
    this.#cutting = this.#cutOff()
      .catch(() => undefined)
      .finally(() => {
        this.#cutting = undefined
      })
    await this.#cutting
  }
}
