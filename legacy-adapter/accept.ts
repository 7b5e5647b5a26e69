import type { Context } from 'koa'
import { UploadError } from '../server/core/errors.ts'
import { type Range, total } from '../server/core/ranges.ts'
import type { UploadRecord } from '../server/core/record.ts'
import { safeName } from '../server/core/safe-name.ts'
import type { Source } from '../server/core/source.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { refuseCodings } from '../server/http/content-coding.ts'
import { answerJson } from '../server/http/json.ts'
import { withBody } from '../server/http/request-body.ts'
import { type ChunkPlace, chunkRange, chunkSizeFrom, guessedRange } from './chunk-layout.ts'
import { type ChunkRequest, fieldAfterFile, metadataOf, placeOf, readChunkRequest } from './chunk-request.ts'
import { oneValue } from './fields.ts'
import { identityOf } from './identity.ts'
import type { LegacyOptions } from './options.ts'
import { VerifiedChunk } from './verified-chunk.ts'
import { visitorOf } from './visitor.ts'

const WHOLE_NUMBER = 'WebUploader needs a chunkSize that is a whole number of bytes and does not change.'
/** From how many uploads on that failed for changing chunk sizes the page is told what may be wrong with it. */
const FAILURES_TO_EXPLAIN = 2

/**
 * `POST /upload/accept`: one chunk. It is put at its place in the file, whatever came before it; the answer to the chunk that
 * was the last to be missing waits until the file is finished.
 *
 * @param onChunk told of the upload, its visitor, and whether the file is finished.
 * @throws UploadError
 */
export async function accept(
  ctx: Context,
  uploads: Uploads,
  options: LegacyOptions,
  onChunk: (visitor: string | undefined, id: string, finished: boolean) => void,
): Promise<void> {
  ctx.set('Cache-Control', 'no-store')
  refuseCodings(ctx.headers)
  const work = async (body: Source): Promise<Accepted> => {
    const request = await readChunkRequest(ctx, body, options.rules.names)
    return acceptChunk(ctx, request, uploads, options, onChunk)
  }
  answerJson(ctx, await withBody(ctx, options.idleTimeout, work, 'held'))
}

/** What the page is told of its chunk. */
interface Accepted {
  readonly ok: true
  readonly id: string
  readonly url: string
  /** Bytes. */
  readonly size: number
  /** Bytes in all ranges. */
  readonly received: number
  readonly finished: boolean
}

async function acceptChunk(
  ctx: Context,
  request: ChunkRequest,
  uploads: Uploads,
  options: LegacyOptions,
  onChunk: (visitor: string | undefined, id: string, finished: boolean) => void,
): Promise<Accepted> {
  const place = placeOf(request.fields, options.maxChunks)
  const identity = identityOf(request.fields, ctx.ip, options.rules)
  const visitor = visitorOf(ctx, options.rules.secret)
  const metadata = metadataOf(request.fields)
  const recordOf = (generation: number): UploadRecord => ({
    id: identity.idOf(generation),
    length: place.size,
    metadata,
    fileName: safeName(metadata['filename']),
    createdAt: new Date().toISOString(),
    chunks: place.chunks,
    visitor,
  })
  return inGeneration(uploads, identity.group, recordOf, async (upload) => {
    const { id } = upload.record
    onChunk(visitor, id, false)
    await putChunk(upload, request, place, options)
    if (upload.state === 'finishing') await upload.settle()
    const finished = upload.state === 'finished'
    if (finished) onChunk(visitor, id, true)
    const received = total(upload.received)
    return { ok: true, id, url: options.urlOf(ctx, id), size: place.size, received, finished }
  })
}

/** Works with the lowest generation of a file that is neither gone nor failed. */
function inGeneration<T>(
  uploads: Uploads,
  group: string,
  recordOf: (generation: number) => UploadRecord,
  work: (upload: Upload) => Promise<T>,
): Promise<T> {
  return uploads.search(group, (found) =>
    inLowest(uploads, recordOf, (upload) => {
      found()
      return work(upload)
    }),
  )
}

async function inLowest<T>(
  uploads: Uploads,
  recordOf: (generation: number) => UploadRecord,
  work: (upload: Upload) => Promise<T>,
): Promise<T> {
  let failures = 0
  for (let generation = 0; ; generation++) {
    let begun = false
    try {
      const outcome = await uploads.useOrCreate(recordOf(generation), async (upload) => {
        const { failed } = upload.record
        if (failed?.code === 'chunk_size_changed') failures += 1
        if (failed !== undefined || upload.state === 'gone') return undefined
        begun = true
        return { value: await work(upload) }
      })
      if (outcome !== undefined) return outcome.value
    } catch (error) {
      if (!(error instanceof UploadError)) throw error
      if (begun && error.code === 'chunk_size_changed' && failures + 1 >= FAILURES_TO_EXPLAIN) throw explained(error)
      if (begun || error.code !== 'gone') throw error
    }
  }
}

function explained(error: UploadError): UploadError {
  return new UploadError(error.code, `${error.message} ${WHOLE_NUMBER}`, { cause: error })
}

async function putChunk(
  upload: Upload,
  request: ChunkRequest,
  place: ChunkPlace,
  options: LegacyOptions,
): Promise<void> {
  if (upload.record.length !== place.size) {
    throw new UploadError('bad_field', 'The field "size" is not what it was in earlier chunks of this file.')
  }
  const range = expectedRange(upload.record.chunkSize, request.lengths, place)
  const verify = async (length: number): Promise<void> => {
    checkTrailingFields(request, options)
    const chunkSize = chunkSizeFrom(place, length)
    if (chunkSize === undefined) {
      throw new UploadError(
        'wrong_length',
        `A chunk of ${length} bytes does not fit the fields "size" and "chunks". ${WHOLE_NUMBER}`,
      )
    }
    if (place.chunks === 1) return
    await upload.agreeOnChunkSize(chunkSize)
    const right = chunkRange(place.size, chunkSize, place.chunk)
    if (range?.start !== right.start || right.end > range.end || (place.chunk > 0 && right.end !== range.end)) {
      throw new UploadError('chunk_not_placed', 'The place of this chunk was not known before; send it again.')
    }
  }
  const chunk = new VerifiedChunk(request.file, range, verify)
  if (range === undefined) await chunk.read()
  else await upload.put(range, chunk)
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
