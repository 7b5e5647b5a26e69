import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Random } from '../support/random.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { Cluster } from './cluster.ts'
import { ClusterRounds, type Disturbance, type Pace } from './cluster-rounds.ts'
import { Tally } from './tally.ts'

const MINUTE = 60_000
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
/** How many disturbances `npm run chaos:cluster` has; 0 for the short form. */
const rounds = Number(process.env['CHAOS_ROUNDS'] ?? 0)
const SHORT: readonly Disturbance[] = ['kill', 'cut off', 'deploy']
const LONG: readonly Disturbance[] = ['kill', 'kill', 'freeze', 'kill', 'cut off', 'deploy', 'rehash']
const SHORT_PACE: Pace = { freeze: 3_000, cutOff: 1_000, load: 1_000 }
const LONG_PACE: Pace = { freeze: 40_000, cutOff: 25_000, load: 6_000 }
/** The newest claim must be 10 s old before another node claims: a round cannot bring more than a few. */
const MOST_TERMS_PER_ROUND = 8

let engine: S3Engine
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine?.stop())

test(
  'A cluster neither loses nor changes what was acknowledged when its nodes are killed, frozen, cut off, or replaced',
  async () => {
    const random = new Random(seed)
    const cluster = await Cluster.start(engine.location, `cluster-${seed}`)
    const clients = new ClusterRounds(cluster, random, seed, rounds > 0 ? ['tus', 'WebUploader'] : ['tus'])
    const disturbances = rounds > 0 ? Array.from({ length: rounds }, (_, i) => LONG[i % LONG.length] ?? 'kill') : SHORT
    const tally = new Tally()
    const done = new Map<Disturbance, number>()
    try {
      for (const disturbance of disturbances) {
        await clients.round(disturbance, rounds > 0 ? LONG_PACE : SHORT_PACE)
        done.set(disturbance, (done.get(disturbance) ?? 0) + 1)
      }
      await clients.last()
      expect(await cluster.storage.mostTerms()).toBeLessThan(MOST_TERMS_PER_ROUND * disturbances.length)
    } catch (error) {
      throw new Error(`Seed ${seed}, after ${JSON.stringify([...done])}`, { cause: error })
    } finally {
      tally.noteUploads(clients.uploads)
      process.stderr.write(`${JSON.stringify([...done])}\n${tally.uploadTable()}`)
      await cluster.close()
    }
  },
  5 * MINUTE + rounds * 3 * MINUTE,
)
