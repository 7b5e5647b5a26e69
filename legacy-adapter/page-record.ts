/** The adapter's part of a record: what it says of senders and chunks, and how requests change it. */
import { type Ranges, union } from '../server/core/ranges.ts'
import { nameOf, type UploadRecord, type WebUploaderRecord } from '../server/core/record.ts'
import { safeName } from '../server/core/safe-name.ts'
import type { Upload } from '../server/core/upload.ts'
import { wholeChunks } from './chunk-layout.ts'
import type { ChunkRequest } from './chunk-request.ts'
import { type Fields, knownDate, oneValue } from './fields.ts'
import type { FileFacts, Identity } from './identity.ts'
import type { ChunkSet } from './which-upload.ts'

/** Maximum senders per upload; the earliest to join is dropped first, never the one that began it. */
const MOST_SENDERS = 32
/** Maximum runs of chunks in a sender's share; beyond that the file waits for its complete. */
const MOST_RUNS = 256

/** The adapter's part of a record, with its senders. */
export interface PageRecord extends WebUploaderRecord {
  readonly begun: string
  readonly senders: readonly string[]
}

/**
 * The record of a new upload.
 *
 * @param recut how many earlier uploads of the sender failed because its chunk size changed.
 */
export function newRecordOf(request: ChunkRequest, id: string, recut: number): UploadRecord {
  const { caller, facts, fields, identities, modified, place, stated } = request
  const { sender, further } = identities().own
  const metadata = { ...metadataOf(fields), ...stated?.metadata }
  const longest = caller.owner === undefined ? stated?.longest : undefined
  return {
    id,
    length: stated === undefined ? place.size : stated.length,
    metadata,
    fileName: safeName(nameOf(metadata)),
    createdAt: new Date().toISOString(),
    webUploader: {
      chunks: place.chunks,
      ...(stated?.chunkSize === undefined ? {} : { chunkSize: stated.chunkSize }),
      ...(longest === undefined ? {} : { longest }),
      visitor: caller.owner,
      begun: sender,
      senders: [sender],
      modified,
      further,
      ...(recut > 0 ? { recut } : {}),
      ...(place.size === facts.size ? {} : { size: facts.size }),
    },
  }
}

/** The adapter's part of a record. An upload of the previous version belongs to the sender encoded in its id. */
export function pageOf({ id, metadata, webUploader }: UploadRecord, sender: string = endingOf(id)): PageRecord {
  const { begun, senders } = webUploader ?? {}
  if (begun !== undefined && senders !== undefined) return { ...webUploader, begun, senders }
  return { ...webUploader, begun: sender, senders: [sender], modified: knownDate(metadata['lastModifiedDate']) }
}

/**
 * Changes the adapter's part of a record.
 *
 * @param sender the sender of the request, for a record of the previous version.
 * @param hold whether an unfinished upload is no longer finished by its last missing byte, but only by `announceEnd`.
 * @throws UploadError `no_space`, `storage_error`.
 */
export async function updatePage(
  upload: Upload,
  change: (page: PageRecord) => WebUploaderRecord,
  { sender, hold = false }: { readonly sender?: string; readonly hold?: boolean } = {},
): Promise<void> {
  await upload.update((record) => {
    const endAwaited = hold && upload.state === 'receiving' ? true : record.endAwaited
    return { ...record, endAwaited, webUploader: change(pageOf(record, sender)) }
  })
}

/**
 * Adds a sender whose chunk 0 matched. Everything stored until now is the share of the first sender.
 *
 * @param modified the modification time of its file, if it states one.
 * @param stored the complete chunks of the upload.
 */
export function withSender(
  page: PageRecord,
  sender: string,
  modified: number | undefined,
  stored: ChunkSet,
): PageRecord {
  const [beginner = page.begun, ...others] = page.senders.filter((other) => other !== sender)
  const senders = [beginner, ...others.slice(2 - MOST_SENDERS), sender]
  const shares = page.shares ?? { [beginner]: stored.slice(0, MOST_RUNS) }
  const kept = Object.entries(shares).filter(([other]) => senders.includes(other))
  return { ...page, senders, modified: page.modified ?? modified, shares: Object.fromEntries(kept) }
}

/** Removes a sender with its share. */
export function withoutSender(page: PageRecord, sender: string): PageRecord {
  const { [sender]: _, ...shares } = page.shares ?? {}
  return { ...page, senders: page.senders.filter((other) => other !== sender), shares }
}

/** Adds a chunk to the share of its sender. */
export function withChunk(page: PageRecord, sender: string, chunk: number): PageRecord {
  const share = union([...(page.shares?.[sender] ?? []), { start: chunk, end: chunk + 1 }])
  return { ...page, shares: { ...page.shares, [sender]: share.slice(0, MOST_RUNS) } }
}

/** The shares of all senders of a record. */
export function sharesOf({ webUploader: { senders = [], shares } = {} }: UploadRecord): readonly Ranges[] {
  return senders.map((sender) => shares?.[sender] ?? [])
}

/** Whether the record names the sender. A record of the previous version is matched by its date and by its id. */
export function knowsSender(record: UploadRecord, identity: Identity, date: string | undefined): boolean {
  const { senders } = record.webUploader ?? {}
  if (senders !== undefined) return senders.includes(identity.sender)
  return record.metadata['lastModifiedDate'] === date && identity.formerEndings().has(endingOf(record.id))
}

/** Whether an upload matches the file of a request in everything that its id does not encode. */
export function fits(record: UploadRecord, identity: Identity, { size, chunks }: FileFacts): boolean {
  const { size: named = record.length, further } = record.webUploader ?? {}
  return named === size && (chunks ?? chunksOf(record)) === chunksOf(record) && further === identity.further
}

/** How many chunks the file of a record has. */
export function chunksOf(record: UploadRecord): number {
  return record.webUploader?.chunks ?? 1
}

/** The complete chunks of an upload. */
export function chunkSetOf({ record, received }: Pick<Upload, 'record' | 'received'>): ChunkSet {
  const { length, webUploader } = record
  const chunkSize = webUploader?.chunkSize ?? (chunksOf(record) === 1 ? length : undefined)
  if (length === null || chunkSize === undefined || chunkSize === null) return []
  return received.length === 0 ? [] : wholeChunks(received, length, chunkSize, chunksOf(record))
}

function endingOf(id: string): string {
  return id.slice(id.lastIndexOf('.') + 1)
}

/** The metadata that downloads and tus clients see. */
function metadataOf(fields: Fields): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (const [key, name] of METADATA) {
    const value = oneValue(fields, name)
    if (value !== undefined) metadata[key] = value
  }
  return metadata
}

const METADATA = [
  ['filename', 'name'],
  ['filetype', 'type'],
  ['lastModifiedDate', 'lastModifiedDate'],
  ['task_id', 'task_id'],
] as const
