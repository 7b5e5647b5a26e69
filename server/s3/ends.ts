import { UploadError } from '../core/errors.ts'
import { eventOfFailure } from '../core/events.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Departure } from '../core/store.ts'
import { type Done, formatDone, parseDone } from './documents.ts'
import type { Environment } from './environment.ts'
import { doneKey, goneKey } from './keys.ts'
import { S3Error } from './s3-error.ts'
import { newToken } from './token.ts'

/** A finished upload. */
export type FinishedUpload = Extract<Done, { kind: 'finished' }>

/** The end of an upload, if it has one. @throws S3Error. */
export async function readDone({ port, prefix }: Environment, id: string): Promise<Done | undefined> {
  const { found } = await port.get(doneKey(prefix, id))
  return found === undefined ? undefined : parseDone(found.body)
}

/**
 * The one commit of a file, whose object is complete.
 *
 * @param finishedAt now, unless another store has finished it before.
 * @returns the end of the upload as S3 has it: another process may have been first.
 * @throws S3Error.
 */
export async function putFinished(
  environment: Environment,
  record: UploadRecord,
  finishedAt = new Date(environment.clock.now()),
): Promise<Done> {
  const { port, prefix, keyOf } = environment
  const facts = { key: keyOf(record), size: record.length ?? 0, finishedAt, record, token: newToken() }
  const done: FinishedUpload = { kind: 'finished', ...facts }
  try {
    await port.put(doneKey(prefix, record.id), formatDone(done), { ifAbsent: true })
    return done
  } catch (error) {
    if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
    const found = await readDone(environment, record.id)
    if (found === undefined) throw new S3Error('unknown', `The end of ${record.id} is and is not there.`)
    return found
  }
}

/**
 * Makes the tombstone of an upload. Its removal has been decided: the record of an unfinished one says so, and counts.
 *
 * @param finished if it was.
 * @throws S3Error.
 */
export async function putGone(
  { port, prefix, keyOf, clock }: Environment,
  record: UploadRecord,
  why: Departure,
  finished: FinishedUpload | undefined,
): Promise<void> {
  const at = new Date(clock.now())
  const { finishedAt, key = keyOf(record) } = finished ?? {}
  const derived = isDerived(record)
  // The marker comes first: without it, nothing would forget the tombstone.
  await port.put(goneKey(prefix, record.id, at, derived), Buffer.alloc(0))
  const { owner, createdAt } = record
  const failed = record.failed && eventOfFailure(record.failed)
  const gone: Done = { kind: 'gone', why, at, owner, key, createdAt, failed, derived, finishedAt }
  await port.put(doneKey(prefix, record.id), formatDone(gone))
}

/** Whether the id is computed from facts that may come again. */
export function isDerived({ id, webUploader, parts }: UploadRecord): boolean {
  return webUploader !== undefined || parts !== undefined || isDerivedId(id)
}

/** Whether an id is none of those that are chosen at random. */
export function isDerivedId(id: string): boolean {
  return !/^[0-9a-f]{32}$/.test(id)
}

export function goneError(): UploadError {
  return new UploadError('gone', 'This upload is gone.')
}
