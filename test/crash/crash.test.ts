import { afterAll, expect, test } from '@jest/globals'
import { temporaryFolder } from '../support/folder.ts'
import { KILLS_PER_STEP, planRuns, stepNames } from './kills.ts'
import { Random } from './random.ts'
import { Rounds } from './rounds.ts'

const folder = await temporaryFolder()
afterAll(folder.dispose)

/** A failure says its seed: with it the same uploads are made and the same kills planned, if not at the same moments. */
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

test('nothing that was acknowledged is lost or changed by SIGKILL, wherever it comes', async () => {
  const random = new Random(seed)
  const rounds = new Rounds(folder.path, random, seed)
  for (const [i, run] of planRuns(random).entries()) {
    try {
      await rounds.round(run)
    } catch (error) {
      throw new Error(`CRASH_SEED=${seed}, after ${i} kills, in ${JSON.stringify(run)}`, { cause: error })
    }
  }
  await rounds.last()
  process.stderr.write(`Crash test: ${rounds.tally}; ${rounds.uploads} uploads\n`)
  for (const step of stepNames()) expect([step, rounds.tally.at(step) >= KILLS_PER_STEP]).toEqual([step, true])
  expect(rounds.tally.all).toBeGreaterThanOrEqual(60)
  // Some kills come while a program takes up what the one before has left.
  expect(rounds.tally.withBodies).toBeGreaterThanOrEqual(45)
}, 240_000)
