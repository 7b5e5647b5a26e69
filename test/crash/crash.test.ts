import { expect, test } from '@jest/globals'
import { KILLS_PER_STEP, stepNames, Tally } from './kills.ts'
import { runPlan } from './plan.ts'

const MINUTE = 60_000
/** A failure says its seed. */
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
/** `npm run chaos` goes on with one plan after another for so long. */
const minutes = Number(process.env['CHAOS_MINUTES'] ?? 0)

test(
  'nothing that was acknowledged is lost or changed by SIGKILL, wherever it comes',
  async () => {
    const deadline = performance.now() + minutes * MINUTE
    const all = new Tally()
    let uploads = 0
    let plans = 0
    do {
      const plan = await runPlan((seed + plans) >>> 0)
      for (const step of stepNames()) expect([step, plan.tally.at(step) >= KILLS_PER_STEP]).toEqual([step, true])
      expect(plan.tally.all).toBeGreaterThanOrEqual(60)
      // Some kills come while a program takes up what the one before has left.
      expect(plan.tally.withBodies).toBeGreaterThanOrEqual(45)
      all.add(plan.tally)
      uploads += plan.uploads
      plans += 1
      process.stderr.write(`Crash test: ${all}; ${uploads} uploads\n`)
    } while (performance.now() < deadline)
  },
  minutes * MINUTE + 4 * MINUTE,
)
