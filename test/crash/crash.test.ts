import { expect, test } from '@jest/globals'
import { type Amounts, extraKills, stepNames } from './kills.ts'
import { runPlan } from './plan.ts'
import { Tally } from './tally.ts'

const MINUTE = 60_000
/** A failure reports its seed: CRASH_SEED repeats it here, `npm run chaos -- --minutes 1 --seed` in the long form. */
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
/** How long `npm run chaos` continues with new plans. */
const minutes = Number(process.env['CHAOS_MINUTES'] ?? 0)
/** Some kills occur while a program recovers from the previous one. */
const amounts: Amounts =
  minutes > 0 ? { atEachStep: 2, inBodies: 26, atStarts: 4 } : { atEachStep: 1, inBodies: 12, atStarts: 2 }

test(
  'SIGKILL at any moment neither loses nor changes anything that was acknowledged',
  async () => {
    const deadline = performance.now() + minutes * MINUTE
    const tally = new Tally()
    let plans = 0
    let violations = 1
    try {
      do {
        await runPlan((seed + plans) >>> 0, amounts, tally)
        plans += 1
      } while (performance.now() < deadline)
      violations = 0
    } finally {
      process.stderr.write(tally.table(violations))
    }
    for (const step of stepNames()) {
      expect([step, tally.at(step)]).toEqual([step, plans * (amounts.atEachStep + extraKills(step))])
    }
    expect(tally.withBodies).toBeGreaterThanOrEqual(tally.all * 0.6)
  },
  minutes * MINUTE + 10 * MINUTE,
)
