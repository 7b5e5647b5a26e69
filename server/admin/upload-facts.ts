import { UploadError } from '../core/errors.ts'
import { covers, prefix, type Ranges, total } from '../core/ranges.ts'
import { nameOf, type UploadRecord } from '../core/record.ts'
import type { ObjectPlace } from '../core/store.ts'
import type { Upload } from '../core/upload.ts'
import type { Uploads } from '../core/uploads.ts'
import type { UploadLine, UploadState } from './contract.ts'
import { bytesOf } from './index/arena.ts'
import type { IndexRow } from './index/rows.ts'

/** An upload as an administrator sees it. Looking at it changes nothing, and opens nothing. */
export interface UploadFacts {
  readonly record: UploadRecord
  readonly received: Ranges
  readonly state: UploadState
  /** When the last byte arrived, or the file was finished. */
  readonly changedAt: Date
  readonly finishedAt: Date | undefined
  readonly path: string | undefined
  readonly object: ObjectPlace | undefined
  /** Whether its bytes are in quarantine, so that it can be released. @throws UploadError `storage_error`. */
  readonly canRelease: () => Promise<boolean>
  /** The upload, if this node works with it. */
  readonly live: Upload | undefined
}

/** @throws UploadError `not_found`, `gone`, `storage_error`. */
export async function factsOf(uploads: Uploads, id: string): Promise<UploadFacts> {
  const live = uploads.peek(id)
  const facts = (live && (await factsOfLive(live))) ?? (await storedFacts(uploads, id))
  if (facts !== undefined) return facts
  if ((await uploads.catalog.goneSince(id)) !== undefined) throw new UploadError('gone', 'This upload is gone.')
  throw new UploadError('not_found', 'There is no such upload.')
}

/** @returns `undefined` if it is gone. */
export async function factsOfLive(live: Upload): Promise<UploadFacts | undefined> {
  const { record, received, finishedAt, state } = live
  if (state === 'gone') return undefined
  const changedAt = finishedAt ?? (received.length === 0 ? new Date(record.createdAt) : await live.lastChange())
  const { path, object } = live.facts
  const shown = state === 'failed' && record.failed?.code === 'rejected' ? 'rejected' : state
  const canRelease = (): Promise<boolean> => live.isQuarantined()
  return { record, received, state: shown, changedAt, finishedAt, path, object, canRelease, live }
}

/** What the store has of an upload that is not open. @returns `undefined` if there is none. @throws UploadError `storage_error`. */
export async function storedFacts({ catalog }: Uploads, id: string): Promise<UploadFacts | undefined> {
  const summary = await catalog.summary(id)
  if (summary === undefined) return undefined
  const { record, finished } = summary
  const [received, changedAt] = await Promise.all([summary.received(), catalog.lastChange(id)])
  return {
    record,
    received,
    state: stateOf(record, received, finished),
    changedAt: changedAt.getTime() === 0 ? new Date(record.createdAt) : changedAt,
    finishedAt: finished ? changedAt : undefined,
    path: catalog.pathOf(record, finished),
    object: finished ? catalog.objectOf?.(record) : undefined,
    canRelease: async () => record.failed?.code === 'rejected' && summary.isQuarantined(),
    live: undefined,
  }
}

/** As `Upload.state` would be, but for the verdict that a process waits for. */
function stateOf(record: UploadRecord, received: Ranges, finished: boolean): UploadState {
  const { failed, length, endAwaited, partial } = record
  if (failed !== undefined) return failed.code === 'rejected' ? 'rejected' : 'failed'
  if (finished) return 'finished'
  if (endAwaited || length === null || !covers(received, { start: 0, end: length })) return 'receiving'
  return partial ? 'sealed' : 'finishing'
}

/** What the index keeps of an upload. */
export function rowOf({
  record,
  received,
  state,
  changedAt,
}: Pick<UploadFacts, 'record' | 'received' | 'state' | 'changedAt'>): IndexRow {
  const { id, length, metadata, fileName, owner = null, createdAt, webUploader, protocol, failed } = record
  return {
    id,
    name: bytesOf(nameOf(metadata) || fileName).toString(),
    size: length,
    received: state === 'finished' || state === 'rejected' ? (length ?? 0) : total(received),
    state,
    owner,
    protocol: webUploader === undefined ? (protocol ?? 'tus') : 'webuploader',
    createdAt: Date.parse(createdAt) || 0,
    changedAt: changedAt.getTime(),
    taskId: webUploader === undefined ? null : (metadata['task_id'] ?? null),
    failure: failed?.code ?? null,
    isRelated: record.final !== undefined || record.parts !== undefined,
  }
}

/** States in which an upload expires. */
const EXPIRING: ReadonlySet<UploadState> = new Set(['receiving', 'sealed', 'failed', 'rejected'])

/** @param expiresAfter in milliseconds. @param message why it has failed. */
export function lineOf(row: IndexRow, expiresAfter: number, message = ''): UploadLine {
  const { createdAt, changedAt, failure, isRelated, ...line } = row
  const expires = EXPIRING.has(row.state) && !isRelated
  return {
    ...line,
    createdAt: new Date(createdAt).toISOString(),
    changedAt: new Date(changedAt).toISOString(),
    expiresAt: expires ? new Date(changedAt + expiresAfter).toISOString() : null,
    failure: failure === null ? null : { code: failure, message },
  }
}

/** The offset of tus. */
export function offsetOf({ received }: UploadFacts): number {
  return prefix(received)
}
