/** EXPIRES_AFTER of the programs that sweep, in seconds; they look every half of it. */
export const EXPIRES_AFTER = 1
/** How much earlier than by this clock a file may seem to have been written, in milliseconds: the kernel's clock is coarse. */
const COARSE = 20

/** Whether programs that remove stale uploads have run, and when one may have done so last. */
export class Sweeps {
  #isRunning = false
  #last = 0

  /** A program runs from now on. */
  begin(sweeps: boolean): void {
    this.#isRunning = sweeps
  }

  /** The program has ended. */
  end(): void {
    if (this.#isRunning) this.#last = Date.now()
    this.#isRunning = false
  }

  /** Whether a program sweeps just now. */
  get areRunning(): boolean {
    return this.#isRunning
  }

  /** Whether an unfinished upload that got its last byte at `time`, or later, may have been removed by now. */
  mayHaveRemoved(time: number): boolean {
    const last = this.#isRunning ? Date.now() : this.#last
    return last - time >= EXPIRES_AFTER * 1000 - COARSE
  }
}
