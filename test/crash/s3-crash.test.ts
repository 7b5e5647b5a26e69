import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { startFaultProxy } from '../s3/fault-proxy.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { all } from './all-settled.ts'
import { BucketStorage } from './bucket-storage.ts'
import { disturbAtRandom } from './faults.ts'
import type { Amounts } from './kills.ts'
import { runPlan } from './plan.ts'
import { Tally } from './tally.ts'

const MINUTE = 60_000
/** A failure reports its seed: CRASH_SEED repeats it. */
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
/** How many kills `npm run chaos:s3` does at least; 0 for the short form. */
const kills = Number(process.env['CHAOS_KILLS'] ?? 0)
/** Plans run at the same time: each restart waits up to 10 s until it may open what the killed program had. */
const LANES = Number(process.env['CHAOS_LANES'] ?? 4)
const NONE = { atEachStep: 0, compareEvery: Number.POSITIVE_INFINITY } as const
const SHORT: Amounts = { ...NONE, inBodies: 1, atStarts: 0, atCalls: { kills: 1, among: 100 } }
const LONG: Amounts = { ...NONE, inBodies: 8, atStarts: 1, atCalls: { kills: 11, among: 400 } }
/** Milliseconds. */
const LONGEST_LOAD = kills > 0 ? 1_500 : 300

let engine: S3Engine
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine?.stop())

/** One lane: a plan on its own part of the bucket, with its own proxy. */
async function runLane(laneSeed: number, amounts: Amounts, tally: Tally, hasFaults: boolean): Promise<void> {
  const port = new RetryingPort(new SdkPort(engine.location))
  const proxy = await startFaultProxy(engine.location.endpoint)
  const stop = hasFaults ? disturbAtRandom(proxy, laneSeed) : () => undefined
  try {
    await runPlan(laneSeed, amounts, tally, [], () => {
      return new BucketStorage(port, engine.location, proxy, `plan-${laneSeed}`, LONGEST_LOAD)
    })
  } finally {
    stop()
    await proxy.close()
    port.close()
  }
}

test(
  'SIGKILL at any moment neither loses nor changes anything that was acknowledged from a bucket, even one with faults',
  async () => {
    const amounts = kills > 0 ? LONG : SHORT
    const perPlan = amounts.inBodies + amounts.atStarts + (amounts.atCalls?.kills ?? 0)
    const plans = kills > 0 ? Math.ceil(kills / perPlan) : LANES
    const queue = Array.from({ length: plans }, (_, i) => (seed + i * 7919) >>> 0)
    const tally = new Tally()
    let violations = 1
    try {
      const lanes = Array.from({ length: LANES }, async (_, lane) => {
        // Every other lane has faults.
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          await runLane(next, amounts, tally, lane % 2 === 1)
        }
      })
      await all(lanes)
      violations = 0
    } finally {
      process.stderr.write(tally.table(violations))
    }
    expect(tally.all).toBe(plans * perPlan)
  },
  10 * MINUTE + kills * 15_000,
)
