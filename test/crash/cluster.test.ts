import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Random } from '../support/random.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { Cluster } from './cluster.ts'
import { ClusterRounds, type Disturbance, type Pace } from './cluster-rounds.ts'
import { Tally } from './tally.ts'

const MINUTE = 60_000
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
/** How many disturbances `npm run chaos:cluster` has; 0 for the short form. */
const amount = Number(process.env['CHAOS_ROUNDS'] ?? 0)
const SHORT: readonly Disturbance[] = ['kill', 'cut off', 'deploy']
const LONG: readonly Disturbance[] = ['kill', 'kill', 'freeze', 'kill', 'cut off', 'deploy', 'rehash']
const SHORT_PACE: Pace = { freeze: 3_000, cutOff: 1_000, load: 500 }
const LONG_PACE: Pace = { freeze: 40_000, cutOff: 25_000, load: 6_000 }
/** An upload changes its node when something happens, and when that is over; a claim of another must be 10 s old. */
const MOST_TERMS_EACH = 8

let engine: S3Engine
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine?.stop())

async function run(clients: ClusterRounds, tally: Map<Disturbance, number>): Promise<void> {
  if (amount === 0) {
    await clients.load(SHORT, SHORT_PACE)
    for (const disturbance of SHORT) tally.set(disturbance, 1)
  }
  for (let i = 0; i < amount; i++) {
    const disturbance = LONG[i % LONG.length] ?? 'kill'
    await clients.load([disturbance], LONG_PACE)
    await clients.check(false)
    tally.set(disturbance, (tally.get(disturbance) ?? 0) + 1)
  }
  await clients.last()
}

test(
  'A cluster neither loses nor changes what was acknowledged when its nodes are killed, frozen, cut off, or replaced',
  async () => {
    const cluster = await Cluster.start(engine.location, `cluster-${seed}`)
    const kinds = amount > 0 ? (['tus', 'WebUploader'] as const) : (['tus'] as const)
    const clients = new ClusterRounds(cluster, new Random(seed), seed, kinds)
    const disturbances = new Map<Disturbance, number>()
    try {
      await run(clients, disturbances)
      const terms = await cluster.storage.mostTerms()
      expect(terms).toBeLessThanOrEqual(MOST_TERMS_EACH * Math.max(SHORT.length, amount))
    } catch (error) {
      throw new Error(`Seed ${seed}, after ${JSON.stringify([...disturbances])}`, { cause: error })
    } finally {
      const uploads = new Tally()
      uploads.noteUploads(clients.uploads)
      const terms = await cluster.storage.mostTerms()
      process.stderr.write(`${JSON.stringify([...disturbances])}, at most ${terms} terms\n${uploads.uploadTable()}`)
      await cluster.close()
    }
  },
  5 * MINUTE + amount * 3 * MINUTE,
)
