import type { Desk } from '../../server/core/desk.ts'
import { UploadError } from '../../server/core/errors.ts'
import { covers, lengthOf, type Range } from '../../server/core/ranges.ts'
import type { Source } from '../../server/core/source.ts'
import type { Upload } from '../../server/core/upload.ts'
import { ChunkSource } from '../chunk-bytes.ts'
import { type ChunkPlace, chunkCount, type StoredChunk } from '../chunk-layout.ts'
import { chunksOf, updatePage } from '../page-record.ts'
import type { RequestValues } from './request-values.ts'
import { RewindableSource } from './rewindable.ts'
import type { OpenEndedPlace } from './stated-place.ts'

/** A request with a file, parsed up to its first byte. */
export interface SentFile {
  readonly values: RequestValues
  readonly tokens: readonly string[]
  /** Of a request that was admitted before its fields arrived. */
  readonly desk?: Desk | undefined
  readonly file: Source
  /** Possible lengths of the file, likeliest first. */
  readonly lengths: readonly number[]
  /** Call this once `file` has ended. @throws UploadError `field_after_file`. */
  readonly checkTrailing: () => void
}

/**
 * Puts the bytes of a chunk into their range: all of them, or none.
 *
 * @throws UploadError `bad_field`, `wrong_length`, `content_differs`, `field_after_file`, and what the file and the core
 * throw.
 */
export async function putExactly(upload: Upload, size: number, range: Range, sent: SentFile): Promise<StoredChunk> {
  if (upload.record.length !== size) {
    throw new UploadError('bad_field', 'The size of the file differs from that of earlier chunks.')
  }
  const source = new ChunkSource(sent.file, range, async (length) => {
    sent.checkTrailing()
    if (length === lengthOf(range)) return
    throw new UploadError('wrong_length', `The chunk has ${length} bytes, but its place has ${lengthOf(range)}.`)
  })
  const added = await putWhole(upload, range, source, sent.file instanceof RewindableSource)
  return { length: lengthOf(range), added }
}

/**
 * Puts a chunk of a file whose size only its last chunk reveals: chunks come one after the other, all but the last
 * equally long. The last one ends the file.
 *
 * @throws UploadError `chunk_not_placed` if an earlier chunk is missing, `wrong_length`, `too_large`, and what the file
 * and the core throw.
 */
export async function putSequential(
  upload: Upload,
  { chunk, chunks }: Pick<ChunkPlace, 'chunk' | 'chunks'>,
  sent: SentFile,
  desk: Desk,
): Promise<StoredChunk> {
  const { chunkSize } = upload.record.webUploader ?? {}
  const isLast = chunk === chunks - 1
  if (chunk > 0 && chunkSize === undefined) throw notPlaced()
  const start = chunk * (chunkSize ?? 0)
  if (chunk > 0 && !covers(upload.received, { start: 0, end: start })) throw notPlaced()
  const longest = chunk > 0 ? (chunkSize ?? 0) : longestOf(sent.lengths)
  desk.checkSize(start + (sent.lengths.length > 0 ? Math.min(...sent.lengths) : 0))
  let end = start
  // A retry may arrive when the last chunk has already set the length.
  const { length: known } = upload.record
  const range = { start, end: Math.min(start + longest, known ?? Number.POSITIVE_INFINITY) }
  const source = new ChunkSource(sent.file, range, async (length) => {
    sent.checkTrailing()
    const isRight = chunk === 0 || (isLast ? length > 0 && length <= longest : length === longest)
    if (!isRight) throw new UploadError('wrong_length', 'Chunks of this file have different lengths.')
    if (chunk === 0 && !isLast) await agree(upload, length)
    end = start + length
  })
  const added = await putWhole(upload, range, source, sent.file instanceof RewindableSource)
  if (isLast && upload.record.length !== end) await upload.setLength(end)
  return { length: source.length, added }
}

/**
 * Puts a chunk of a file whose size no chunk says: one that is shorter than the others is the last, and ends the file.
 *
 * @throws UploadError `content_differs` also if the file has ended elsewhere, `bad_field`, `wrong_length`, and what the
 * file and the core throw.
 */
export async function putOpenEnded(
  upload: Upload,
  { chunk, chunkSize, count }: OpenEndedPlace,
  sent: SentFile,
  desk: Desk,
): Promise<StoredChunk> {
  if ((upload.record.webUploader?.chunkSize ?? chunkSize) !== chunkSize) {
    throw new UploadError('bad_field', 'Earlier chunks of this file had another chunk size.')
  }
  const start = chunk * chunkSize
  const { length: known } = upload.record
  if (known !== null && start >= known && chunk > 0) {
    throw endedEarlier()
  }
  desk.checkSize(start + (sent.lengths.length > 0 ? Math.min(...sent.lengths) : 0))
  // The call at the end knows then of chunks that did not arrive.
  if (chunk >= chunksOf(upload.record)) {
    await updatePage(upload, (page) => ({ ...page, chunks: Math.max(page.chunks ?? 1, chunk + 1) }))
  }
  const range = { start, end: Math.min(start + chunkSize, known ?? Number.POSITIVE_INFINITY) }
  const isLast = (length: number): boolean => length < chunkSize || chunk + 1 === count
  const source = new ChunkSource(sent.file, range, async (length) => {
    sent.checkTrailing()
    const { length: total } = upload.record
    const isAtEnd = chunk + 1 === chunksOf(upload.record)
    const isPossible =
      total === null ? !isLast(length) || isAtEnd : start + length === Math.min(start + chunkSize, total)
    if (isPossible && (length > 0 || chunk === 0)) return
    if (total !== null) throw endedEarlier()
    throw new UploadError('wrong_length', 'Only the last chunk of a file may be shorter than the others.')
  })
  const added = await putWhole(upload, range, source, sent.file instanceof RewindableSource)
  if (isLast(source.length)) await upload.setLength(start + source.length)
  return { length: source.length, added }
}

/** The error for a chunk of another file: the page may have ended the stored one too early. Its sender begins again. */
function endedEarlier(): UploadError {
  return new UploadError('content_differs', 'The stored file ends elsewhere; send the whole file again.')
}

/**
 * Ends a file whose size no chunk has said, if all chunks that were begun have arrived.
 *
 * @param stated what the page says about the file at its end.
 */
export async function endOpenFile(
  upload: Upload,
  stated: { readonly size: number | undefined; readonly count: number | undefined },
): Promise<void> {
  const { length, webUploader } = upload.record
  const { chunkSize } = webUploader ?? {}
  if (upload.state !== 'receiving' || length !== null || chunkSize === undefined) return
  const bySize = stated.size === undefined ? undefined : chunkCount(stated.size, chunkSize)
  const chunks = Math.max(stated.count ?? 0, bySize ?? 0, chunksOf(upload.record))
  if (chunks > chunksOf(upload.record)) await updatePage(upload, (page) => ({ ...page, chunks }))
  const end = upload.offset
  const isWhole = end === upload.received.at(-1)?.end && end === chunks * chunkSize
  if (isWhole && (stated.size ?? end) === end && (stated.count ?? chunks) === chunks) await upload.setLength(end)
}

/** Uploads a whole file of unknown size. @throws UploadError `too_large`, and what the file and the core throw. */
export async function putFile(upload: Upload, sent: SentFile, desk: Desk): Promise<void> {
  await putSequential(upload, { chunk: 0, chunks: 1 }, sent, desk)
}

/** Makes the length of chunk 0 that of all. @throws UploadError `wrong_length` if it was another one before. */
async function agree(upload: Upload, length: number): Promise<void> {
  if (length === 0) throw new UploadError('wrong_length', 'A chunk of this file is empty.')
  await updatePage(upload, (page) => ({ ...page, chunkSize: page.chunkSize ?? length }))
  if (upload.record.webUploader?.chunkSize === length) return
  throw new UploadError('content_differs', 'Chunk 0 of this file had another length; send the whole file again.')
}

/** @throws UploadError `bad_request` without a Content-Length, which every browser sends. */
function longestOf(lengths: readonly number[]): number {
  if (lengths.length > 0) return Math.max(...lengths)
  throw new UploadError('bad_request', 'The request needs a Content-Length.')
}

function notPlaced(): UploadError {
  return new UploadError('chunk_not_placed', 'An earlier chunk of this file is missing; send it first.')
}

/** Puts a source into a range. Unless it can be rewound, it is read to its end: only a whole chunk proves that a file differs. */
async function putWhole(upload: Upload, range: Range, source: Source, isRewindable: boolean): Promise<number> {
  try {
    return await upload.receiving.put(range, source)
  } catch (error) {
    const isRead = error instanceof UploadError && error.code === 'content_differs' && !isRewindable
    if (isRead) while ((await source.read()) !== null);
    throw error
  }
}
