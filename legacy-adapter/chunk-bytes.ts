import { UploadError } from '../server/core/errors.ts'
import { lengthOf, type Range } from '../server/core/ranges.ts'
import { bytesIn } from '../server/core/reader.ts'
import type { Source } from '../server/core/source.ts'
import type { Upload } from '../server/core/upload.ts'
import { checkUsable } from '../server/core/upload-state.ts'
import { type ChunkPlace, chunkRange, chunkSizeFrom, guessedRange, type StoredChunk } from './chunk-layout.ts'
import type { ChunkRequest } from './chunk-request.ts'
import { updatePage } from './page-record.ts'

const WHOLE_NUMBER = 'WebUploader needs a chunkSize that is a whole number of bytes and does not change.'
/** After this many failures caused by a changing chunk size, the error explains the likely cause. */
const FAILURES_TO_EXPLAIN = 2

/**
 * Puts the bytes of a chunk at its offset. They count as a whole or not at all.
 *
 * @param mayFail whether its sender began the upload: only then may another chunk size fail the upload.
 * @throws UploadError `bad_field`, `wrong_length`, `chunk_size_changed`, `chunk_not_placed`, `content_differs`,
 * `field_after_file`, and what the file of the request and the core throw.
 */
export async function putBytes(request: ChunkRequest, upload: Upload, mayFail: boolean): Promise<StoredChunk> {
  const { place, lengths, file } = request
  if (upload.record.length !== place.size) {
    throw new UploadError('bad_field', 'The field "size" differs from earlier chunks of this file.')
  }
  const range = expectedRange(upload.record.webUploader?.chunkSize, lengths, place)
  const chunk = new ChunkSource(file, range, async (length) => {
    request.checkTrailing()
    const chunkSize = chunkSizeFrom(place, length)
    if (chunkSize === undefined) throw wrongLength(place, length)
    if (place.chunks === 1) return
    await agreeOnChunkSize(upload, chunkSize, mayFail)
    const right = chunkRange(place.size, chunkSize, place.chunk)
    if (range?.start !== right.start || right.end > range.end || (place.chunk > 0 && right.end !== range.end)) {
      throw new UploadError('chunk_not_placed', 'The offset of this chunk was unknown until it arrived; send it again.')
    }
  })
  try {
    const added = range === undefined ? await chunk.read().then(() => 0) : await upload.receiving.put(range, chunk)
    return { length: chunk.length, added }
  } catch (error) {
    // Only a whole chunk proves that the file differs: the request may still break off, or reveal another chunk size.
    if (error instanceof UploadError && error.code === 'content_differs') {
      while ((await chunk.read()) !== null);
    }
    throw error
  }
}

/**
 * The bytes of a chunk for its expected range. Only its end shows its length: then `verify` is called, and an error of
 * it keeps the chunk from counting. Bytes beyond the range are read, too, because the length determines the chunk size.
 */
export class ChunkSource implements Source {
  readonly #file: Source
  readonly #room: number
  readonly #verify: (length: number) => Promise<void>
  #length = 0

  /** @param range without one, no byte is returned, and `verify` must throw. */
  constructor(file: Source, range: Range | undefined, verify: (length: number) => Promise<void>) {
    this.#file = file
    this.#room = range === undefined ? 0 : lengthOf(range)
    this.#verify = verify
  }

  /** How many bytes have arrived. */
  get length(): number {
    return this.#length
  }

  get waitingSince(): number | undefined {
    return this.#file.waitingSince
  }

  cancel(reason: Error): void {
    this.#file.cancel(reason)
  }

  async read(): Promise<readonly Buffer[] | null> {
    for (;;) {
      const batch = await this.#file.read()
      if (batch === null) break
      this.#length += bytesIn(batch)
      if (this.#length <= this.#room) return batch
    }
    await this.#verify(this.#length)
    if (this.#length > this.#room)
      throw new UploadError('wrong_length', 'The chunk is longer than its place in the file.')
    return null
  }
}

/** The expected range of the chunk, before its bytes arrive; chunk 0 may turn out shorter. */
function expectedRange(known: number | undefined, lengths: readonly number[], place: ChunkPlace): Range | undefined {
  if (place.chunks === 1) return { start: 0, end: place.size }
  return known === undefined ? guessedRange(place, lengths) : chunkRange(place.size, known, place.chunk)
}

/**
 * Makes the chunk size of a verified chunk that of the upload.
 *
 * @throws UploadError `chunk_size_changed` if the upload has another one. If its beginner sends that, an incomplete
 * upload fails, and the beginner may start again.
 */
async function agreeOnChunkSize(upload: Upload, chunkSize: number, mayFail: boolean): Promise<void> {
  const { chunkSize: known, recut: failures = 0 } = upload.record.webUploader ?? {}
  if (known === undefined) {
    await updatePage(upload, (page) => ({ ...page, chunkSize: page.chunkSize ?? chunkSize }))
  }
  if (upload.record.webUploader?.chunkSize === chunkSize) return
  if (!mayFail && known !== undefined) {
    throw new UploadError('chunk_size_changed', 'Earlier chunks of this file had another size.')
  }
  checkUsable(upload)
  const isRepeated = failures + 1 >= FAILURES_TO_EXPLAIN
  const sentence = 'The chunks of this file were cut in two different sizes.'
  const error = new UploadError('chunk_size_changed', isRepeated ? `${sentence} ${WHOLE_NUMBER}` : sentence)
  // With every byte there, no chunk can contradict the file any more: it stays, and only this request fails.
  if (upload.state === 'receiving') await upload.fail('chunk_size_changed', sentence)
  throw error
}

function wrongLength({ size, chunks }: ChunkPlace, length: number): UploadError {
  const sentence =
    chunks === 1
      ? `The file has ${length} bytes, but its field "size" says ${size}.`
      : `A chunk of ${length} bytes does not fit the fields "size" and "chunks". ${WHOLE_NUMBER}`
  return new UploadError('wrong_length', sentence)
}
