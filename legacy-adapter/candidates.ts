import type { PageRecord, UploadRecord } from '../server/core/record.ts'
import type { Upload } from '../server/core/upload.ts'
import { wholeChunks } from './chunk-layout.ts'
import type { Identity, Whose } from './identity.ts'
import { knownDate } from './known-date.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { Candidate, ChunkSet, Skippable } from './which-upload.ts'

/** The caller of a request. */
export interface Caller {
  readonly whose: Whose
  /**
   * The visitor named by a cookie of the previous version. It opens only what this visitor began under that version.
   */
  readonly former: Whose
}

/** What a request says about its file, apart from the identity fields. */
export interface FileFacts {
  /** The size that the page reports. Bytes. */
  readonly size: number
  /** `undefined` for a check without it. */
  readonly chunks: number | undefined
  /** The text of `lastModifiedDate`. */
  readonly date: string | undefined
}

/** Views an upload as a candidate for a request; `undefined` if it has failed, or the caller cannot access it. */
export function candidateOf(
  upload: Upload,
  identity: Identity,
  caller: Caller,
  date: string | undefined,
  live: LiveUploads,
): Candidate | undefined {
  const { record, state } = upload
  if (!isUsable(upload) || !isVisible(record, caller)) return undefined
  return {
    id: record.id,
    own: record.visitor !== undefined || caller.whose === undefined,
    knowsSender: knowsSender(record, identity, date),
    finished: state === 'finished' || state === 'finishing',
    ...skippableOf(upload, live),
    modified: record.page === undefined ? knownDate(record.metadata['lastModifiedDate']) : record.page.modified,
    fed: live.fed(record.id),
  }
}

/** The facts that decide whether chunks of an upload may be skipped. */
export function skippableOf(upload: Upload, live: LiveUploads): Skippable {
  const { record, receiving, state } = upload
  return {
    contested: record.page?.contested === true,
    atRest: live.isAtRest(record.id) && !receiving.isRunning && state !== 'finishing',
    chunks: chunkSetOf(upload),
  }
}

/** Whether an upload matches the file of a request in everything that its id does not encode. */
export function fits(record: UploadRecord, identity: Identity, { size, chunks }: FileFacts): boolean {
  const named = record.page?.size ?? record.length
  return (
    named === size && (chunks ?? chunksOf(record)) === chunksOf(record) && record.page?.further === identity.further
  )
}

/** Whether the upload can still accept chunks, or be compared with them. */
export function isUsable({ state }: Upload): boolean {
  return state !== 'failed' && state !== 'gone'
}

/** Whether the caller may access an upload: one begun by a visitor belongs to that visitor. */
export function isVisible({ visitor }: UploadRecord, { whose, former }: Caller): boolean {
  return visitor === undefined || visitor === whose || visitor === former
}

/** Whether the record names the sender. A record of the previous version is matched by its date and by its id. */
export function knowsSender(record: UploadRecord, identity: Identity, date: string | undefined): boolean {
  if (record.page !== undefined) return record.page.senders.includes(identity.sender)
  return record.metadata['lastModifiedDate'] === date && identity.formerEndings().has(endingOf(record.id))
}

/** The page record of an upload. One of the previous version belongs to the sender encoded in its id. */
export function pageOf(record: UploadRecord, sender: string = endingOf(record.id)): PageRecord {
  return record.page ?? { begun: sender, senders: [sender], modified: knownDate(record.metadata['lastModifiedDate']) }
}

/** The complete chunks of an upload. */
export function chunkSetOf({ record, received }: Upload): ChunkSet {
  const { length, chunkSize = chunksOf(record) === 1 ? length : undefined } = record
  if (length === null || chunkSize === undefined || chunkSize === null) return []
  return received.length === 0 ? [] : wholeChunks(received, length, chunkSize)
}

export function chunksOf(record: UploadRecord): number {
  return record.chunks ?? 1
}

function endingOf(id: string): string {
  return id.slice(id.lastIndexOf('.') + 1)
}
