import type { Figures, Results } from '../../bench/results.ts'

const UPLOAD = '1 GiB in one PATCH'

/** Results of one workload in seconds. @param runs of each server, by round; a text is the reason for a failure. */
export function resultsOf(runs: Readonly<Record<string, readonly (Partial<Figures> | string)[]>>): Results {
  const results: Results = {
    startedAt: '2026-11-24T03:00:00.000Z',
    rounds: 3,
    machine: { system: 'Linux 6.18', cpu: 'any', cores: 2, memoryGiB: 24, node: '20.19.0' },
    contestants: Object.keys(runs).map((name) => ({ name, version: '1.0.0', settings: '' })),
    absent: [],
    workloads: [{ name: UPLOAD, unit: 's' }],
    runs: [],
    failures: [],
  }
  for (const [server, outcomes] of Object.entries(runs)) {
    outcomes.forEach((outcome, index) => {
      const which = { workload: UPLOAD, server, round: index + 1 }
      if (typeof outcome === 'string') results.failures.push({ ...which, reason: outcome })
      else results.runs.push({ ...which, figures: { ...ANY, ...outcome } })
    })
  }
  return results
}

const ANY: Figures = { time: 1, seconds: 1, cpu: 1, clientCpu: 0.2, peak: 100 }
