import TestSequencer from '@jest/test-sequencer'

/** The files that take half a minute or more, whatever their size: the summary of a run lists the slowest ones. */
const LONG = [
  'crash/crash',
  'crash/concatenation',
  'examples/next',
  's3/conformance',
  'move/services',
  'fuzz/fuzz',
  'power-cut/power-cut',
  'e2e/product-pages',
  'crash/s3-crash',
  'crash/cluster',
  'e2e/page-limits',
  'e2e/classical-page-resume',
  'e2e/old-pages-resume',
  'e2e/old-page-after-kill',
  'e2e/old-pages',
  'e2e/files-with-equal-names',
  'e2e/clients',
  'examples/servers',
  's3/simulation/simulation',
  'http/refused-large-body',
  'outbox/delivery',
  'legacy-adapter/owners',
  'library/package',
  'e2e/admin-page',
  'import/bucket',
  'http/silent-connections',
  's3/self-test',
  'http/cut-connections',
  'disk/slow-disk',
  'e2e/tag',
  'e2e/dialects',
  'e2e/upload-element',
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
