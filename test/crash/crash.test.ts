import { expect, test } from '@jest/globals'
import { type Amounts, extraKills, stepNames } from './kills.ts'
import { runPlan } from './plan.ts'
import { Tally } from './tally.ts'

const MINUTE = 60_000
/** How long a kill takes at most, with the rounds around it, in milliseconds. */
const LONGEST_KILL = 15_000
/** A failure reports its seed: CRASH_SEED repeats it here, `npm run chaos -- --minutes 1 --seed` in the long form. */
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const { CHAOS_OWNERS } = process.env
/** How many kills `npm run chaos -- --kills` does at least, in all; 0 for none. */
const kills = Number(process.env['CHAOS_KILLS'] ?? 0)
/** How long `npm run chaos` continues with new plans, unless it counts kills. */
const minutes = kills > 0 ? 0 : Number(process.env['CHAOS_MINUTES'] ?? 0)
/** Some kills occur while a program recovers from the previous one. */
const LONG: Amounts = { atEachStep: 2, inBodies: 26, atStarts: 4, compareEvery: 4 }
/** Each start checks all uploads so far: shorter plans have more kills in the same time. */
const MANY: Amounts = { atEachStep: 1, inBodies: 13, atStarts: 2, compareEvery: 8 }
const plans = [
  {
    clients: 'a client without credentials',
    owners: [],
    short: { atEachStep: 1, inBodies: 3, atStarts: 1, compareEvery: 16, depth: 0.3 },
  },
  {
    clients: 'two owners',
    owners: ['an owner', 'another owner'],
    short: { atEachStep: 0, inBodies: 3, atStarts: 0, compareEvery: 2 },
  },
].filter(({ owners }) => CHAOS_OWNERS === undefined || CHAOS_OWNERS === String(owners.length))

test.each(plans)(
  'SIGKILL at any moment neither loses nor changes anything that was acknowledged to $clients, and the ledger is right',
  async ({ owners, short }) => {
    const amounts = kills > 0 ? MANY : minutes > 0 ? LONG : short
    const deadline = performance.now() + (minutes / plans.length) * MINUTE
    const tally = new Tally()
    let done = 0
    let violations = 1
    try {
      do {
        await runPlan((seed + done) >>> 0, amounts, tally, owners)
        done += 1
        if (kills + minutes > 0) process.stderr.write(`Plan ${done}: ${tally.all} kills so far, no violation\n`)
      } while (performance.now() < deadline || tally.all < kills / plans.length)
      violations = 0
    } finally {
      process.stderr.write(tally.table(violations))
    }
    for (const step of stepNames()) {
      expect([step, tally.at(step)]).toEqual([step, done * (amounts.atEachStep + extraKills(step, amounts.atEachStep))])
    }
    expect(tally.comparedKills).toBe(tally.all)
    expect(tally.withBodies).toBeGreaterThanOrEqual(tally.all * 0.6)
  },
  minutes * MINUTE + kills * LONGEST_KILL + 10 * MINUTE,
)
