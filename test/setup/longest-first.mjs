import TestSequencer from '@jest/test-sequencer'

/** The files that take a minute or more, whatever their size: the summary of a run lists the slowest ones. */
const LONG = [
  'crash/crash',
  'power-cut/power-cut',
  'fuzz/fuzz',
  'crash/concatenation',
  'e2e/product-pages',
  'e2e/old-pages',
  'examples/servers',
  'e2e/classical-page-resume',
  'e2e/page-limits',
  'http/cut-connections',
  'examples/next',
  'crash/s3-crash',
  'disk/slow-disk',
]

/**
 * Starts the longest files first. On a clean checkout Jest knows no durations, and would start large files first: a
 * small one that takes three minutes would run alone at the end.
 */
export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const index = LONG.findIndex((name) => path.endsWith(`/test/${name}.test.ts`))
      return index === -1 ? LONG.length : index
    }
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b))
  }
}
