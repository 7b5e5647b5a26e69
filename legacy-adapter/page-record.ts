import type { UploadRecord, WebUploaderRecord } from '../server/core/record.ts'
import type { Upload } from '../server/core/upload.ts'
import { wholeChunks } from './chunk-layout.ts'
import { knownDate } from './fields.ts'
import type { Identity, Whose } from './identity.ts'
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
    own: record.webUploader?.visitor !== undefined || caller.whose === undefined,
    knowsSender: knowsSender(record, identity, date),
    finished: state === 'finished' || state === 'finishing',
    ...skippableOf(upload, live),
    modified: withSenders(record).modified,
    fed: live.fed(record.id),
  }
}

/** The facts that decide whether chunks of an upload may be skipped. */
export function skippableOf(upload: Upload, live: LiveUploads): Skippable {
  const { record, receiving, state } = upload
  return {
    contested: record.webUploader?.contested === true,
    atRest: live.isAtRest(record.id) && !receiving.isRunning && state !== 'finishing',
    chunks: chunkSetOf(upload),
  }
}

/** Whether an upload matches the file of a request in everything that its id does not encode. */
export function fits(record: UploadRecord, identity: Identity, { size, chunks }: FileFacts): boolean {
  const { size: named = record.length, further } = record.webUploader ?? {}
  return named === size && (chunks ?? chunksOf(record)) === chunksOf(record) && further === identity.further
}

/** Whether the upload can still accept chunks, or be compared with them. */
export function isUsable({ state }: Upload): boolean {
  return state !== 'failed' && state !== 'gone'
}

/** Whether the caller may access an upload: one begun by a visitor belongs to that visitor. */
export function isVisible({ webUploader }: UploadRecord, { whose, former }: Caller): boolean {
  const visitor = webUploader?.visitor
  return visitor === undefined || visitor === whose || visitor === former
}

/** Whether the record names the sender. A record of the previous version is matched by its date and by its id. */
export function knowsSender(record: UploadRecord, identity: Identity, date: string | undefined): boolean {
  const { senders } = record.webUploader ?? {}
  if (senders !== undefined) return senders.includes(identity.sender)
  return record.metadata['lastModifiedDate'] === date && identity.formerEndings().has(endingOf(record.id))
}

/** The adapter's part of a record. An upload of the previous version belongs to the sender encoded in its id. */
export function withSenders(
  { id, metadata, webUploader }: UploadRecord,
  sender: string = endingOf(id),
): WebUploaderRecord & { readonly begun: string; readonly senders: readonly string[] } {
  const { begun, senders } = webUploader ?? {}
  if (begun !== undefined && senders !== undefined) return { ...webUploader, begun, senders }
  return { ...webUploader, begun: sender, senders: [sender], modified: knownDate(metadata['lastModifiedDate']) }
}

/** The complete chunks of an upload. */
export function chunkSetOf({ record, received }: Upload): ChunkSet {
  const { length, webUploader } = record
  const chunkSize = webUploader?.chunkSize ?? (chunksOf(record) === 1 ? length : undefined)
  if (length === null || chunkSize === undefined || chunkSize === null) return []
  return received.length === 0 ? [] : wholeChunks(received, length, chunkSize)
}

export function chunksOf(record: UploadRecord): number {
  return record.webUploader?.chunks ?? 1
}

function endingOf(id: string): string {
  return id.slice(id.lastIndexOf('.') + 1)
}
