import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import { type Range, total } from '../server/core/ranges.ts'
import type { PageRecord, UploadRecord } from '../server/core/record.ts'
import { safeName } from '../server/core/safe-name.ts'
import type { Source } from '../server/core/source.ts'
import type { Upload } from '../server/core/upload.ts'
import { refuseCodings } from '../server/http/content-coding.ts'
import { answerJson } from '../server/http/json.ts'
import { withBody } from '../server/http/request-body.ts'
import type { Adapter } from './adapter.ts'
import { type ChunkPlace, chunkRange, chunkSizeFrom, guessedRange } from './chunk-layout.ts'
import { type ChunkRequest, fieldAfterFile, metadataOf, placeOf, readChunkRequest } from './chunk-request.ts'
import { oneValue } from './fields.ts'
import { cacheKeyOf, identitiesOf, modifiedOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { VerifiedChunk } from './verified-chunk.ts'

const WHOLE_NUMBER = 'WebUploader needs a chunkSize that is a whole number of bytes and does not change.'
/** From how many uploads on that failed for changing chunk sizes the page is told what may be wrong with it. */
const FAILURES_TO_EXPLAIN = 2

/**
 * `POST /upload/accept`: one chunk. It is put at its place in the file, whatever came before it; the answer to the chunk that
 * was the last to be missing waits until the file is finished.
 *
 * @throws UploadError
 */
export async function accept(ctx: Context, adapter: Adapter): Promise<void> {
  ctx.set('Cache-Control', 'no-store')
  refuseCodings(ctx.headers)
  const { idleTimeout, rules } = adapter.options
  const work = async (body: Source): Promise<Accepted> =>
    acceptChunk(ctx, await readChunkRequest(ctx, body, rules.names), adapter)
  answerJson(ctx, await withBody(ctx, idleTimeout, work, 'held'))
}

/** What the page is told of its chunk. */
interface Accepted {
  readonly ok: true
  /** Told only to the caller who began the upload: who knows the URL can read and delete the file. */
  readonly id?: string
  readonly url?: string
  /** Bytes. */
  readonly size: number | null
  /** Bytes in all ranges. */
  readonly received: number
  readonly finished: boolean
}

async function acceptChunk(ctx: Context, request: ChunkRequest, adapter: Adapter): Promise<Accepted> {
  const { placing, options } = adapter
  const { fields, isPartName } = request
  const place = placeOf(fields, options.maxChunks)
  const size = sizeOf(request, place)
  const caller = options.visitors.callerOf(ctx)
  const file = { fields, name: oneValue(fields, 'name'), isPartName }
  const modified = modifiedOf(fields)
  const chunk = {
    caller,
    identities: identitiesOf(file, caller, ctx.ip, options.rules),
    key: cacheKeyOf(file, caller.whose, ctx.ip, options.rules),
    facts: { size: place.size, chunks: place.chunks, date: oneValue(fields, 'lastModifiedDate') },
    chunk: place.chunk,
    modified,
    recordOf: (id: string, page: PageRecord): UploadRecord => {
      const metadata = metadataOf(fields)
      return {
        id,
        length: size,
        metadata,
        fileName: safeName(metadata['filename']),
        createdAt: new Date().toISOString(),
        chunks: place.chunks,
        visitor: caller.whose,
        page: size === place.size ? page : { ...page, size: place.size },
      }
    },
  }
  return placing.place(chunk, {
    put: (upload, isBeginner) => putChunk(upload, request, { ...place, size }, options, isBeginner),
    answer: async (upload, isBeginners) => {
      if (upload.state === 'finishing') await upload.settle()
      const { id, length } = upload.record
      return {
        ok: true,
        ...(isBeginners ? { id, url: options.urlOf(ctx, id) } : {}),
        size: length,
        received: total(upload.received),
        finished: upload.state === 'finished',
      }
    },
  })
}

/**
 * How long the file is, in bytes. A page that makes an image smaller before it sends it may name the size from before; then the file
 * is in one piece, and as long as that.
 */
function sizeOf({ fields, lengths }: ChunkRequest, { size, chunks }: ChunkPlace): number {
  const isImage = oneValue(fields, 'type')?.startsWith('image/') === true
  const [likeliest = size] = lengths.includes(size) ? [] : lengths
  return isImage && chunks === 1 ? Math.min(likeliest, size) : size
}

function explained(error: UploadError): UploadError {
  return new UploadError(error.code, `${error.message} ${WHOLE_NUMBER}`, { cause: error })
}

async function putChunk(
  upload: Upload,
  request: ChunkRequest,
  place: ChunkPlace,
  options: LegacyOptions,
  isBeginner: boolean,
): Promise<void> {
  if (upload.record.length !== place.size) {
    throw new UploadError('bad_field', 'The field "size" is not what it was in earlier chunks of this file.')
  }
  const range = expectedRange(upload.record.chunkSize, request.lengths, place)
  const verify = async (length: number): Promise<void> => {
    checkTrailingFields(request, options)
    const chunkSize = chunkSizeFrom(place, length)
    if (chunkSize === undefined) throw wrongLength(place, length)
    if (place.chunks === 1) return
    await agreeOnChunkSize(upload, chunkSize, isBeginner)
    const right = chunkRange(place.size, chunkSize, place.chunk)
    if (range?.start !== right.start || right.end > range.end || (place.chunk > 0 && right.end !== range.end)) {
      throw new UploadError('chunk_not_placed', 'The place of this chunk was not known before; send it again.')
    }
  }
  const chunk = new VerifiedChunk(request.file, range, verify)
  try {
    if (range === undefined) await chunk.read()
    else await upload.put(range, chunk)
  } catch (error) {
    // Only a whole chunk tells that its file is another one: it may break off yet, or turn out to be cut in another size.
    if (error instanceof UploadError && error.code === 'content_differs') await readAway(chunk)
    throw error
  }
}

/** @throws what the source throws before its end. */
async function readAway(source: Source): Promise<void> {
  while ((await source.read()) !== null);
}

function recut(): UploadError {
  return new UploadError('chunk_size_changed', 'The chunks of this file were cut in another size before.')
}

function wrongLength({ size, chunks }: ChunkPlace, length: number): UploadError {
  const sentence =
    chunks === 1
      ? `The file has ${length} bytes, but its field "size" says ${size}.`
      : `A chunk of ${length} bytes does not fit the fields "size" and "chunks". ${WHOLE_NUMBER}`
  return new UploadError('wrong_length', sentence)
}

/** Only the sender that began a file can make it fail by chunks of another size: it may begin again. */
async function agreeOnChunkSize(upload: Upload, chunkSize: number, isBeginner: boolean): Promise<void> {
  const { chunkSize: known, page } = upload.record
  if (!isBeginner && known !== undefined && known !== chunkSize) throw recut()
  try {
    await upload.agreeOnChunkSize(chunkSize)
  } catch (error) {
    const isRepeated = (page?.recut ?? 0) + 1 >= FAILURES_TO_EXPLAIN
    if (error instanceof UploadError && error.code === 'chunk_size_changed' && isRepeated) throw explained(error)
    throw error
  }
}

/** Where the chunk belongs, as far as that can be known before its bytes have come; chunk 0 may turn out shorter. */
function expectedRange(known: number | undefined, lengths: readonly number[], place: ChunkPlace): Range | undefined {
  if (place.chunks === 1) return { start: 0, end: place.size }
  return known === undefined ? guessedRange(place, lengths) : chunkRange(place.size, known, place.chunk)
}

/** What says whose chunk this is must come before its bytes; what else comes behind them does no harm. */
function checkTrailingFields(request: ChunkRequest, options: LegacyOptions): void {
  const trailing = request.trailingFields()
  for (const name of ['size', 'chunk', 'chunks', 'name', 'task_id', ...options.rules.names]) {
    const late = oneValue(trailing, name)
    if (late !== undefined && late !== oneValue(request.fields, name)) {
      throw fieldAfterFile(name)
    }
  }
}
