import { expect, test } from '@jest/globals'
import { type Fault, simulate } from './simulation/simulate.ts'

/** `npm run simulate` sets both; a failure reports the seed of its first run. */
const runs = Number(process.env['SIMULATED_RUNS'] ?? 1_000)
const seed = Number(process.env['SIMULATION_SEED'] ?? 1)
/** The accepted number, of 60,000 runs, that end with a falsely reported success or need a fourth try. */
const MOST_IN_60_000 = 60

test('pages with similar files never mix them, and all files are stored', () => {
  const seeds = new Map<Fault, number[]>()
  let sent = 0
  let least = 0
  for (let run = 0; run < runs; run++) {
    const outcome = simulate(seed * 1_000_000 + run)
    sent += outcome.sent
    least += outcome.least
    if (outcome.isHopeless) continue
    for (const fault of outcome.faults) seeds.set(fault, [...(seeds.get(fault) ?? []), seed * 1_000_000 + run])
  }
  process.stderr.write(`${runs} runs, ${sent} chunks sent where ${least} would have done\n`)
  expect(seeds.get('mixed') ?? []).toEqual([])
  for (const fault of ['false done', 'stuck'] as const) {
    expect((seeds.get(fault) ?? []).slice(Math.floor((MOST_IN_60_000 * runs) / 60_000))).toEqual([])
  }
}, 600_000)
