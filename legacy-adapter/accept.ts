import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import { type Range, total } from '../server/core/ranges.ts'
import { nameOf, type UploadRecord, type WebUploaderRecord } from '../server/core/record.ts'
import { safeName } from '../server/core/safe-name.ts'
import type { Source } from '../server/core/source.ts'
import { checkUsable, type Upload } from '../server/core/upload.ts'
import { answerJson } from '../server/http/json.ts'
import { refuseCodings } from '../server/protocol/content-coding.ts'
import { withBody } from '../server/protocol/request-body.ts'
import type { Adapter } from './adapter.ts'
import { type ChunkPlace, chunkRange, chunkSizeFrom, guessedRange } from './chunk-layout.ts'
import { type ChunkRequest, fieldAfterFile, metadataOf, placeOf, readChunkRequest } from './chunk-request.ts'
import { ChunkSource } from './chunk-source.ts'
import { modifiedOf, oneValue } from './fields.ts'
import { cacheKeyOf, identitiesOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'

const WHOLE_NUMBER = 'WebUploader needs a chunkSize that is a whole number of bytes and does not change.'
/** After this many failures caused by a changing chunk size, the error explains the likely cause. */
const FAILURES_TO_EXPLAIN = 2

/**
 * `POST /upload/accept`: stores one chunk at its offset, in any order. The response to the chunk that completes the
 * file waits until the file is finished.
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

/** The response to a chunk. */
interface Accepted {
  readonly ok: true
  /** Only for the caller that began the upload: the URL lets its holder read and delete the file. */
  readonly id?: string
  readonly url?: string
  /** Bytes. */
  readonly size: number | null
  /** Total received bytes. */
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
    recordOf: (id: string, senders: WebUploaderRecord): UploadRecord => {
      const metadata = metadataOf(fields)
      return {
        id,
        length: size,
        metadata,
        fileName: safeName(nameOf(metadata)),
        createdAt: new Date().toISOString(),
        webUploader: {
          chunks: place.chunks,
          visitor: caller.whose,
          ...senders,
          ...(size === place.size ? {} : { size: place.size }),
        },
      }
    },
  }
  return placing.place(chunk, {
    put: (upload, isBeginner) => putChunk(upload, request, { ...place, size }, options, isBeginner),
    answer: async (upload, isBeginners) => {
      if (upload.state === 'finishing') await upload.finish()
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
 * The length of the file in bytes. A page that shrinks an image before upload may report the original size; such a file
 * is a single chunk, and as long as that chunk.
 */
function sizeOf({ fields, lengths }: ChunkRequest, { size, chunks }: ChunkPlace): number {
  const isImage = oneValue(fields, 'type')?.startsWith('image/') === true
  const [likeliest = size] = lengths.includes(size) ? [] : lengths
  return isImage && chunks === 1 ? Math.min(likeliest, size) : size
}

async function putChunk(
  upload: Upload,
  request: ChunkRequest,
  place: ChunkPlace,
  options: LegacyOptions,
  isBeginner: boolean,
): Promise<void> {
  if (upload.record.length !== place.size) {
    throw new UploadError('bad_field', 'The field "size" differs from earlier chunks of this file.')
  }
  const range = expectedRange(upload.record.webUploader?.chunkSize, request.lengths, place)
  const verify = async (length: number): Promise<void> => {
    checkTrailingFields(request, options)
    const chunkSize = chunkSizeFrom(place, length)
    if (chunkSize === undefined) throw wrongLength(place, length)
    if (place.chunks === 1) return
    await agreeOnChunkSize(upload, chunkSize, isBeginner)
    const right = chunkRange(place.size, chunkSize, place.chunk)
    if (range?.start !== right.start || right.end > range.end || (place.chunk > 0 && right.end !== range.end)) {
      throw new UploadError('chunk_not_placed', 'The offset of this chunk was unknown until it arrived; send it again.')
    }
  }
  const chunk = new ChunkSource(request.file, range, verify)
  try {
    if (range === undefined) await chunk.read()
    else await upload.receiving.put(range, chunk)
  } catch (error) {
    // Only a whole chunk proves that the file differs: the request may still break off, or reveal another chunk size.
    if (error instanceof UploadError && error.code === 'content_differs') await readToEnd(chunk)
    throw error
  }
}

/** @throws what the source throws before its end. */
async function readToEnd(source: Source): Promise<void> {
  while ((await source.read()) !== null);
}

function recut(): UploadError {
  return new UploadError('chunk_size_changed', 'Earlier chunks of this file had another size.')
}

function wrongLength({ size, chunks }: ChunkPlace, length: number): UploadError {
  const sentence =
    chunks === 1
      ? `The file has ${length} bytes, but its field "size" says ${size}.`
      : `A chunk of ${length} bytes does not fit the fields "size" and "chunks". ${WHOLE_NUMBER}`
  return new UploadError('wrong_length', sentence)
}

/**
 * Makes the chunk size of a verified chunk that of the upload.
 *
 * @throws UploadError `chunk_size_changed` if it was another one before. The upload has failed then, unless all its bytes
 * are there; only the sender that began it can make it fail: that sender may start again.
 */
async function agreeOnChunkSize(upload: Upload, chunkSize: number, isBeginner: boolean): Promise<void> {
  const { chunkSize: known, recut: failures = 0 } = upload.record.webUploader ?? {}
  if (known === undefined) {
    await upload.update(({ webUploader, ...record }) => ({
      ...record,
      webUploader: { ...webUploader, chunkSize: webUploader?.chunkSize ?? chunkSize },
    }))
  }
  if (upload.record.webUploader?.chunkSize === chunkSize) return
  if (!isBeginner && known !== undefined) throw recut()
  checkUsable(upload)
  const isRepeated = failures + 1 >= FAILURES_TO_EXPLAIN
  const sentence = 'The chunks of this file were cut in two different sizes.'
  const error = new UploadError('chunk_size_changed', isRepeated ? `${sentence} ${WHOLE_NUMBER}` : sentence)
  // With every byte there, no chunk can contradict the file any more: it stays, and only this request fails.
  if (upload.state === 'receiving') await upload.fail('chunk_size_changed', sentence)
  throw error
}

/** The expected range of the chunk, before its bytes arrive; chunk 0 may turn out shorter. */
function expectedRange(known: number | undefined, lengths: readonly number[], place: ChunkPlace): Range | undefined {
  if (place.chunks === 1) return { start: 0, end: place.size }
  return known === undefined ? guessedRange(place, lengths) : chunkRange(place.size, known, place.chunk)
}

/** Fields that identify the chunk must precede the file; other fields may follow it. */
function checkTrailingFields(request: ChunkRequest, options: LegacyOptions): void {
  const trailing = request.trailingFields()
  for (const name of ['size', 'chunk', 'chunks', 'name', 'task_id', ...options.rules.names]) {
    const late = oneValue(trailing, name)
    if (late !== undefined && late !== oneValue(request.fields, name)) {
      throw fieldAfterFile(name)
    }
  }
}
