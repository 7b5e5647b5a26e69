/** Closes the run with one plain line. A test that was skipped counts as failed: nothing may be left out silently. */
export default class SummaryReporter {
  #broken = false

  onRunComplete(_, results) {
    const skipped = results.numPendingTests + results.numTodoTests
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + skipped
    this.#broken = skipped > 0
    process.stdout.write(`${results.numPassedTests} passed, ${failed} failed\n`)
  }

  getLastError() {
    return this.#broken ? new Error('Tests were skipped.') : undefined
  }
}
