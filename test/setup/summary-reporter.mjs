import { writeSync } from 'node:fs'

/** Closes the run with one plain line. A test that was skipped counts as failed: nothing may be left out silently. */
export default class SummaryReporter {
  #skipped = 0

  onRunComplete(_, results) {
    this.#skipped = results.numPendingTests + results.numTodoTests
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + this.#skipped
    // At the exit, so that it stands behind what the other reporters print.
    process.once('exit', () => writeSync(1, `${results.numPassedTests} passed, ${failed} failed\n`))
  }

  getLastError() {
    return this.#skipped > 0 ? new Error('Tests were skipped.') : undefined
  }
}
