/** EXPIRES_AFTER of the programs that sweep, in seconds; they sweep at half this interval. */
export const EXPIRES_AFTER = 1
/**
 * How much earlier than by this clock the modification time of a file may be, in milliseconds: the kernel's clock is
 * coarse.
 */
const COARSE = 20

/** Whether sweeping programs have run, and when the last sweep may have been. */
export class Sweeps {
  #isRunning = false
  #last = 0

  /** Records the start of a program. */
  begin(sweeps: boolean): void {
    this.#isRunning = sweeps
  }

  /** Records the end of the program. */
  end(): void {
    if (this.#isRunning) this.#last = Date.now()
    this.#isRunning = false
  }

  /** Whether a program is sweeping. */
  get areRunning(): boolean {
    return this.#isRunning
  }

  /** Whether an unfinished upload whose last byte arrived at `time`, or later, may have expired by now. */
  mayHaveRemoved(time: number): boolean {
    const last = this.#isRunning ? Date.now() : this.#last
    return last - time >= EXPIRES_AFTER * 1000 - COARSE
  }
}
