import { afterAll, expect, test } from '@jest/globals'
import { temporaryFolder } from '../support/folder.ts'
import { KILLS_PER_STEP, planKills, stepNames } from './kills.ts'
import { Random } from './random.ts'
import { Rounds } from './rounds.ts'

const folder = await temporaryFolder()
afterAll(folder.dispose)

/** A failure says its seed: with it the same uploads are made and the same kills planned, if not at the same moments. */
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

test('nothing that was acknowledged is lost or changed by SIGKILL, wherever it comes', async () => {
  const random = new Random(seed)
  const rounds = new Rounds(folder.path, random, seed)
  for (const [i, kill] of planKills(random).entries()) {
    const sync = i % 9 === 4 ? 'always' : i % 9 === 8 ? 'never' : 'finish'
    try {
      await rounds.round(kill, sync)
    } catch (error) {
      throw new Error(`CRASH_SEED=${seed}, after ${i} kills, next ${JSON.stringify(kill)}`, { cause: error })
    }
  }
  await rounds.last()
  process.stderr.write(`Crash test: ${rounds.tally}; ${rounds.uploads} uploads\n`)
  for (const step of stepNames()) expect([step, rounds.tally.at(step)]).toEqual([step, KILLS_PER_STEP])
  expect(rounds.tally.withBodies).toBeGreaterThanOrEqual(50)
}, 180_000)
