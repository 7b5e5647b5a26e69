import { writeSync } from 'node:fs'
import path from 'node:path'

const SLOWEST = 10

/**
 * Ends the run with the slowest files and one plain line. A skipped test counts as failed: none may be left out
 * silently.
 */
export default class SummaryReporter {
  #skipped = 0

  onRunComplete(_, results) {
    this.#skipped = results.numPendingTests + results.numTodoTests
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + this.#skipped
    const lines = [...slowest(results.testResults), `${results.numPassedTests} passed, ${failed} failed`]
    // At the exit, so it follows the output of the other reporters.
    process.once('exit', () => writeSync(1, `${lines.join('\n')}\n`))
  }

  getLastError() {
    return this.#skipped > 0 ? new Error('Tests were skipped.') : undefined
  }
}

/** The files that took longest, in seconds of wall-clock time; none for a run of one file. */
function slowest(files) {
  if (files.length < 2) return []
  const times = files
    .map(({ testFilePath, perfStats }) => ({ name: path.relative('', testFilePath), time: perfStats.runtime }))
    .sort((a, b) => b.time - a.time)
    .slice(0, SLOWEST)
  return ['Slowest files:', ...times.map(({ name, time }) => `${(time / 1000).toFixed(1).padStart(7)} s  ${name}`)]
}
