import type { DoubtfulEvent } from '../core/committed.ts'
import { eventOfFailure } from '../core/events.ts'
import type { Done } from './documents.ts'
import { readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { keptState } from './opening.ts'

/**
 * Whether the change of an event was committed. `open`: not yet, and whoever commits it later writes the event again.
 * `decided`: not yet, but any node may complete it without writing the event.
 */
export type Truth = 'true' | 'false' | 'open' | 'decided'

/**
 * Compares an event with the bucket. Unlike `isCommitted`, this needs no open upload, distinguishes what is not true
 * from what is not true yet, and finds all events of an upload that is gone: its tombstone says what has happened to it.
 *
 * @throws S3Error
 */
export async function truthOf(environment: Environment, event: DoubtfulEvent): Promise<Truth> {
  const done = await readDone(environment, event.upload)
  if (done !== undefined) return truthAfterEnd(event, done)
  const last = await keptState(environment, event.upload)
  if (last === undefined) {
    // It may have ended in between: then everything of the unfinished upload is deleted.
    const ended = await readDone(environment, event.upload)
    return ended === undefined ? 'open' : truthAfterEnd(event, ended)
  }
  const { record, leaving } = last.state
  // No id is used twice.
  if (record.createdAt !== event.createdAt) return 'false'
  const { type } = event
  if (type === 'created') return 'true'
  if (type === 'deleted' || type === 'expired') return leaving?.why === type ? 'decided' : 'open'
  if (record.failed === undefined || !(await last.counts())) return 'open'
  return eventOfFailure(record.failed) === type ? 'true' : 'false'
}

function truthAfterEnd({ type, createdAt }: DoubtfulEvent, done: Done): Truth {
  const isGone = done.kind === 'gone'
  if ((isGone ? done.createdAt : done.record.createdAt) !== createdAt) return 'false'
  if (type === 'created') return 'true'
  if (type === 'finished') return !isGone || done.finishedAt !== undefined ? 'true' : 'false'
  if (type === 'deleted' || type === 'expired') {
    if (!isGone) return 'open'
    return done.why === type ? 'true' : 'false'
  }
  return isGone && done.failed === type ? 'true' : 'false'
}
