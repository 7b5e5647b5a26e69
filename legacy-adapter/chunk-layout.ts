/** Computes where the chunks of a WebUploader file are. Pure functions; sizes are in bytes, chunks count from 0. */
import type { Range, Ranges } from '../server/core/ranges.ts'

/** The size of the file, its number of chunks, and the number of this chunk. */
export interface ChunkPlace {
  readonly size: number
  readonly chunks: number
  readonly chunk: number
}

/** A stored chunk: its length, and how many of its bytes were new. */
export interface StoredChunk {
  readonly length: number
  readonly added: number
}

/**
 * The number of chunks of a file: ⌈size ÷ chunkSize⌉, as WebUploader's `CuteFile` cuts it. An empty file is one empty
 * chunk, as pages send it.
 *
 * @param chunkSize at least 1; may be 0 for an empty file.
 */
export function chunkCount(size: number, chunkSize: number): number {
  if (size === 0) return 1
  const last = size % chunkSize
  return last === 0 ? size / chunkSize : (size - last) / chunkSize + 1
}

/** The range of a chunk, within `[0, size)`; empty for a chunk beyond the last. */
export function chunkRange(size: number, chunkSize: number, chunk: number): Range {
  const start = Math.min(size, chunk * chunkSize)
  return { start, end: Math.min(size, start + chunkSize) }
}

/**
 * The chunk size, from the length of one chunk. WebUploader does not send it, but any chunk determines it: each is as
 * long as the chunk size, and the last has the remaining bytes. The only chunk of a file is its chunk size.
 *
 * @returns `undefined` if no chunk size fits: the fields contradict each other, or the page cuts at fractions of bytes.
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

/** The largest possible chunk size. If chunks were one byte longer, the file would have fewer of them. */
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

/**
 * The numbers of the first `limit` incomplete chunks in ascending order, and the total number of incomplete chunks.
 *
 * @param count how many chunks there are; if fewer than usual, the last one is longer.
 */
export function missingChunks(
  received: Ranges,
  size: number,
  chunkSize: number,
  limit: number,
  count: number = chunkCount(size, chunkSize),
): { missing: number[]; total: number } {
  const missing: number[] = []
  let total = 0
  let next = 0
  for (const run of [...wholeChunks(received, size, chunkSize, count), { start: count, end: count }]) {
    total += run.start - next
    for (let chunk = next; chunk < run.start && missing.length < limit; chunk++) missing.push(chunk)
    next = run.end
  }
  return { missing, total }
}

/** The complete chunks, as runs of their numbers. @param count like that of `missingChunks`. */
export function wholeChunks(
  received: Ranges,
  size: number,
  chunkSize: number,
  count: number = chunkCount(size, chunkSize),
): Range[] {
  if (size === 0) return [{ start: 0, end: 1 }]
  return received
    .map(({ start, end }) => ({
      start: start === 0 ? 0 : chunkCount(start, chunkSize),
      end: end >= size ? count : Math.min(count - 1, Math.floor(end / chunkSize)),
    }))
    .filter((run) => run.start < run.end)
}
