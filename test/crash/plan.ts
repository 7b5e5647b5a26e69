import { temporaryFolder } from '../support/folder.ts'
import { planRuns, type Tally } from './kills.ts'
import { Random } from './random.ts'
import { Rounds } from './rounds.ts'

/**
 * One plan of kills on a folder of its own, to its end: the same seed makes the same uploads and plans the same kills, if not at
 * the same moments.
 *
 * @throws Error that names the seed and the kill after which a promise was found broken.
 */
export async function runPlan(seed: number): Promise<{ readonly tally: Tally; readonly uploads: number }> {
  const folder = await temporaryFolder()
  try {
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
    return { tally: rounds.tally, uploads: rounds.uploads }
  } finally {
    await folder.dispose()
  }
}
