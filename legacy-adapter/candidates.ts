import type { PageRecord, UploadRecord } from '../server/core/record.ts'
import type { Upload } from '../server/core/upload.ts'
import { wholeChunks } from './chunk-layout.ts'
import type { Identity, Whose } from './identity.ts'
import { knownDate } from './known-date.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { Candidate, ChunkSet, Skippable } from './which-upload.ts'

/** Whose request it is. */
export interface Caller {
  readonly whose: Whose
  /**
   * The visitor of a cookie that the version before has set: it opens what this visitor began under that version, and nothing else.
   */
  readonly former: Whose
}

/** What a request says of its file, beside what its identities are made of. */
export interface FileFacts {
  /** The size that the page names. Bytes. */
  readonly size: number
  /** `undefined` for a check that does not say it. */
  readonly chunks: number | undefined
  /** The text of `lastModifiedDate`. */
  readonly date: string | undefined
}

/** Looks at an upload as one that a request could mean; `undefined` for one that the caller cannot reach, or that has failed. */
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

/** What decides whether chunks of an upload may be skipped. */
export function skippableOf(upload: Upload, live: LiveUploads): Skippable {
  const { record, busy } = upload
  return {
    contested: record.page?.contested === true,
    atRest: live.isAtRest(record.id) && !busy,
    chunks: chunkSetOf(upload),
  }
}

/** Whether an upload is of the file that a request describes, as far as that is not in its id. */
export function fits(record: UploadRecord, identity: Identity, { size, chunks }: FileFacts): boolean {
  const named = record.page?.size ?? record.length
  return (
    named === size && (chunks ?? chunksOf(record)) === chunksOf(record) && record.page?.further === identity.further
  )
}

/** Whether chunks of the upload can still be taken, or compared. */
export function isUsable({ state }: Upload): boolean {
  return state !== 'failed' && state !== 'gone'
}

/** Whether the caller may reach an upload at all: one that a visitor began is that visitor's. */
export function isVisible({ visitor }: UploadRecord, { whose, former }: Caller): boolean {
  return visitor === undefined || visitor === whose || visitor === former
}

/** Whether the record names the sender; one of the version before names it by its date, and by its id as far as that can be told. */
export function knowsSender(record: UploadRecord, identity: Identity, date: string | undefined): boolean {
  if (record.page !== undefined) return record.page.senders.includes(identity.sender)
  return record.metadata['lastModifiedDate'] === date && identity.formerEndings().has(endingOf(record.id))
}

/** What is kept of an upload; one of the version before belongs to the sender of which its id is made. */
export function pageOf(record: UploadRecord, sender: string = endingOf(record.id)): PageRecord {
  return record.page ?? { begun: sender, senders: [sender], modified: knownDate(record.metadata['lastModifiedDate']) }
}

/** The chunks of an upload that are wholly there. */
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
