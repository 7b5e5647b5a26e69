import { temporaryFolder } from '../support/folder.ts'
import { Random } from '../support/random.ts'
import { diskStorage } from './disk-storage.ts'
import { EventReceiver } from './event-receiver.ts'
import { type Amounts, planRuns, type Run, sooner } from './kills.ts'
import { credentialsOf } from './owners.ts'
import { Rounds } from './rounds.ts'
import type { Storage } from './storage.ts'
import type { Tally } from './tally.ts'

/** How often a run is retried if its step does not occur. */
const MOST_TRIES = 4

/**
 * Runs one plan of kills on its own storage to its end. The same seed creates the same uploads and plans the same
 * kills, though not at the same moments.
 *
 * @param tally receives the counts, also when it throws.
 * @param owners the clients, who need tokens then; without any, there is one without credentials.
 * @param storageIn the storage of the programs in a data directory.
 * @throws Error that names the seed and the kill after which a promise was found broken.
 */
export async function runPlan(
  seed: number,
  amounts: Amounts,
  tally: Tally,
  owners: readonly string[] = [],
  storageIn: (dataDir: string) => Storage = diskStorage,
): Promise<void> {
  const folder = await temporaryFolder()
  const random = new Random(seed)
  const clients = await Promise.all(owners.map(credentialsOf))
  const receiver = await EventReceiver.start(new Random(seed))
  const storage = storageIn(folder.path)
  const rounds = new Rounds(folder.path, storage, random, seed, tally, clients, receiver)
  const before = tally.all
  let current: Run | undefined
  try {
    const queue = planRuns(amounts, random).map((run) => ({ run, tries: 1 }))
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { run, tries } = next
      current = run
      if (await rounds.round(run)) {
        if ((tally.all - before) % amounts.compareEvery === 0) await rounds.compare()
        continue
      }
      if (tries === MOST_TRIES) throw new Error(`The step ${run.kill.at} did not occur`)
      queue.push({ run: sooner(run), tries: tries + 1 })
    }
    current = undefined
    await rounds.last()
    if (storage.events !== undefined) tally.noteEvents(receiver.count, tally.all - before)
  } catch (error) {
    const where = current === undefined ? 'at the end' : `in ${JSON.stringify(current)}`
    throw new Error(`Seed ${seed}, after ${tally.all - before} kills, ${where}`, { cause: error })
  } finally {
    tally.noteUploads(rounds.uploads)
    await receiver.close()
    await folder.dispose()
  }
}
