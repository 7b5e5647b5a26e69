import TestSequencer from '@jest/test-sequencer'

/** The files that take 25 seconds or more, longest first. The summary of a run lists the slowest ones. */
const LONG = [
  'crash/crash',
  'crash/s3-crash',
  'crash/cluster',
  's3/conformance',
  'e2e/product-pages',
  'e2e/dialects',
  'e2e/old-pages',
  'e2e/admin-page',
  'e2e/classical-page-resume',
  'crash/concatenation',
  'e2e/page-limits',
  'power-cut/power-cut',
  'e2e/files-with-equal-names',
  'fuzz/fuzz',
  'move/services',
  'e2e/upload-element',
  'e2e/old-page-after-kill',
  'instant/kills',
  'e2e/foreign-pages',
  's3/engine',
  'disk/slow-disk',
  'e2e/old-pages-resume',
  'e2e/tag',
  'disk/recovery',
  'http/refused-large-body',
  'e2e/sign-in',
  'library/package',
  'examples/servers',
  'http/cut-connections',
  'examples/next',
  'e2e/clients',
  'legacy-adapter/owners',
  'disk/folder-kills',
  'outbox/delivery',
  'hooks/http',
  'legacy-adapter/dialects',
  'webhooks/stepped-clock',
  'disk/failed-sync',
  'move/stores',
  's3/readiness',
  's3/simulation/simulation',
  'tus/clients/tus-js-client',
  's3/terms-model',
  'e2e/modern-page-outage',
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
