/** Where the chunks of a WebUploader file lie: arithmetic only. All sizes are in bytes, chunks are counted from 0. */
import type { Range, Ranges } from '../server/core/ranges.ts'

/** What a request says of its chunk: the size of the whole file, how many chunks it was cut into, and which this one is. */
export interface ChunkPlace {
  readonly size: number
  readonly chunks: number
  readonly chunk: number
}

/**
 * How many chunks of `chunkSize` (at least 1) a file has: ⌈size ÷ chunkSize⌉, as WebUploader's `CuteFile` cuts it. An empty
 * file counts as one empty chunk, because that is how a page that sends one at all sends it; `chunkSize` may be 0 then.
 */
export function chunkCount(size: number, chunkSize: number): number {
  if (size === 0) return 1
  const last = size % chunkSize
  return last === 0 ? size / chunkSize : (size - last) / chunkSize + 1
}

/** The bytes of one chunk, inside `[0, size)`; empty for a chunk beyond the last. */
export function chunkRange(size: number, chunkSize: number, chunk: number): Range {
  const start = Math.min(size, chunk * chunkSize)
  return { start, end: Math.min(size, start + chunkSize) }
}

/**
 * The only chunk size under which this chunk has exactly `length` bytes and the file that many chunks. WebUploader does not
 * send it, but any one chunk determines it: every chunk but the last is as long as the chunk size, and the last is what the
 * others leave. A file in one piece is its own chunk size, 0 for an empty file.
 *
 * @returns bytes, or `undefined` when no chunk size fits: `length`, `size`, and `chunks` contradict each other, or the page
 * cuts its files at fractions of bytes.
 */
export function chunkSizeFrom({ size, chunks, chunk }: ChunkPlace, length: number): number | undefined {
  if (chunk < 0 || chunk >= chunks) return undefined
  if (chunks === 1) return length === size ? size : undefined
  if (length < 1) return undefined
  if (chunk < chunks - 1) return chunkCount(size, length) === chunks ? length : undefined
  const before = size - length
  if (before % (chunks - 1) !== 0) return undefined
  const chunkSize = before / (chunks - 1)
  return length <= chunkSize ? chunkSize : undefined
}

/**
 * The most bytes that chunk 0, and so any chunk, can have when only the numbers in the request are known: with one byte more
 * in each, the file would have fewer chunks.
 */
export function largestChunk({ size, chunks }: Pick<ChunkPlace, 'size' | 'chunks'>): number {
  return chunks === 1 ? size : chunkCount(size, chunks - 1) - 1
}

/**
 * The expected range of a chunk whose chunk size is still unknown; chunk 0 may turn out shorter. Of several possible
 * lengths, the one that makes the chunk size a multiple of 1,024 or 1,000 wins: nearly all chunk sizes are.
 *
 * @param lengths possible lengths of the chunk, likeliest first.
 * @returns `undefined` if nothing determines the range.
 */
export function guessedRange(place: ChunkPlace, lengths: readonly number[]): Range | undefined {
  const sizes = lengths.map((length) => chunkSizeFrom(place, length)).filter((size) => size !== undefined)
  const round = sizes.find((size) => size > 0 && (size % 1024 === 0 || size % 1000 === 0))
  if (place.chunk === 0) {
    const longest = lengths.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...lengths)
    return { start: 0, end: Math.min(round ?? longest, largestChunk(place)) }
  }
  const guess = round ?? sizes[0]
  return guess === undefined ? undefined : chunkRange(place.size, guess, place.chunk)
}

/** The numbers of the first `limit` chunks with a byte that is not in `received`, in order, and how many there are in all. */
export function missingChunks(
  received: Ranges,
  size: number,
  chunkSize: number,
  limit: number,
): { missing: number[]; total: number } {
  const count = chunkCount(size, chunkSize)
  const missing: number[] = []
  let total = 0
  let next = 0
  for (const run of [...wholeChunks(received, size, chunkSize), { start: count, end: count }]) {
    total += run.start - next
    for (let chunk = next; chunk < run.start && missing.length < limit; chunk++) missing.push(chunk)
    next = run.end
  }
  return { missing, total }
}

/** The runs of chunk numbers that lie wholly inside `received`. */
export function wholeChunks(received: Ranges, size: number, chunkSize: number): Range[] {
  if (size === 0) return [{ start: 0, end: 1 }]
  return received
    .map(({ start, end }) => ({
      start: start === 0 ? 0 : chunkCount(start, chunkSize),
      end: end >= size ? chunkCount(size, chunkSize) : Math.floor(end / chunkSize),
    }))
    .filter((run) => run.start < run.end)
}
