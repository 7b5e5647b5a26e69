/** How long, in seconds, the past keeps its weight: short enough to notice a stall, long enough not to flicker. */
const MEMORY = 4
/** How often, in milliseconds, a new figure is shown. */
const SHOW_EVERY = 500
/** Without a byte for this long, in milliseconds, an old figure says nothing any more. */
const STALE_AFTER = 5000

/** Turns a series of progress reports into a calm speed. Times are milliseconds of any one clock. */
export class SpeedMeter {
  #last: { bytes: number; time: number } | null = null
  #rate: number | null = null

  /** Forgets the past, for instance before an upload goes on after a pause. */
  reset(): void {
    this.#last = null
    this.#rate = null
  }

  /** Takes in how many bytes are there at `time`. */
  report(bytes: number, time: number): void {
    if (this.#last === null || bytes < this.#last.bytes) {
      this.#last = { bytes, time }
      this.#rate = null
      return
    }
    const elapsed = time - this.#last.time
    if (elapsed < SHOW_EVERY) return
    const rate = ((bytes - this.#last.bytes) / elapsed) * 1000
    const weight = 1 - Math.exp(-elapsed / 1000 / MEMORY)
    this.#rate = this.#rate === null ? rate : this.#rate + (rate - this.#rate) * weight
    this.#last = { bytes, time }
  }

  /** Bytes per second, or null as long as there is nothing sensible to say. */
  rate(time: number): number | null {
    if (this.#last === null || this.#rate === null || this.#rate < 1) return null
    return time - this.#last.time > STALE_AFTER ? null : this.#rate
  }
}
