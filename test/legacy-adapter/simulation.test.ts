import { expect, test } from '@jest/globals'
import { type Fault, simulate } from './simulation/simulate.ts'

/** `npm run simulate` sets both; a failure reports the seed of its first run. */
const runs = Number(process.env['SIMULATED_RUNS'] ?? 1_000)
const seed = Number(process.env['SIMULATION_SEED'] ?? 1)

test.each([
  { pages: 'pages with similar files', introducesLate: false, most: 60 },
  { pages: 'pages that get their cookie during an upload', introducesLate: true, most: 200 },
])(
  '$pages never mix them, and of 60,000 runs at most $most miss a file',
  ({ introducesLate, most }) => {
    const seeds = new Map<Fault, number[]>()
    let sent = 0
    let least = 0
    for (let run = 0; run < runs; run++) {
      const outcome = simulate(seed * 1_000_000 + run, introducesLate)
      sent += outcome.sent
      least += outcome.least
      if (outcome.isHopeless) continue
      for (const fault of outcome.faults) seeds.set(fault, [...(seeds.get(fault) ?? []), seed * 1_000_000 + run])
    }
    process.stderr.write(`${runs} runs, ${sent} chunks sent where ${least} would have done\n`)
    expect(seeds.get('mixed') ?? []).toEqual([])
    // A falsely reported success, or a fourth try.
    for (const fault of ['false done', 'stuck'] as const) {
      expect((seeds.get(fault) ?? []).slice(Math.floor((most * runs) / 60_000))).toEqual([])
    }
  },
  600_000,
)
