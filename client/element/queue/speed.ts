/** Time constant of the average, in seconds: short enough to show a stall, long enough not to flicker. */
const SMOOTHING = 4
/** How often the speed changes, in milliseconds. */
const UPDATE_EVERY = 500
/** After this long without a byte, there is no speed, in milliseconds. */
const STALE_AFTER = 5000

/** Turns progress reports into an averaged speed. Times are milliseconds of any clock. */
export class SpeedMeter {
  #last: { bytes: number; time: number } | null = null
  #rate: number | null = null

  /** Discards earlier reports, for instance after a pause. */
  reset(): void {
    this.#last = null
    this.#rate = null
  }

  /** Reports the bytes sent until `time`. */
  report(bytes: number, time: number): void {
    if (this.#last === null || bytes < this.#last.bytes) {
      this.#last = { bytes, time }
      this.#rate = null
      return
    }
    const elapsed = time - this.#last.time
    if (elapsed < UPDATE_EVERY) return
    const rate = ((bytes - this.#last.bytes) / elapsed) * 1000
    const weight = 1 - Math.exp(-elapsed / 1000 / SMOOTHING)
    this.#rate = this.#rate === null ? rate : this.#rate + (rate - this.#rate) * weight
    this.#last = { bytes, time }
  }

  /** Bytes per second, or null if unknown. */
  rate(time: number): number | null {
    if (this.#last === null || this.#rate === null || this.#rate < 1) return null
    return time - this.#last.time > STALE_AFTER ? null : this.#rate
  }
}
