import type { Range } from '../core/ranges.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Piece } from './names.ts'

/**
 * A file is composed of parts of one size, except the last: its cells. Where they begin is a function of the upload,
 * but only a hint: bytes of a cell that are in several pieces are stored once more, as one.
 */

const MIB = 1024 * 1024
/** The smallest part of a multipart upload that is not its last one. */
export const SMALLEST_PART = 5 * MIB
/** The largest cell that is made of a request or a chunk. */
const LARGEST_NATURAL = 16 * MIB
/** The largest piece: it must fit into memory. */
const LARGEST_CELL = 32 * MIB
/** The most parts of a multipart upload. */
const MOST_PARTS = 10_000

/** The largest possible file, in bytes. */
export const LARGEST_FILE = MOST_PARTS * LARGEST_CELL

/**
 * The size of the cells of an upload, in bytes.
 *
 * @param first the piece with the first byte.
 * @param partSize the usual one.
 * @returns `undefined` while nothing is known that it should follow from.
 */
export function cellSize(
  { length, webUploader }: Pick<UploadRecord, 'length' | 'webUploader'>,
  first: Piece | undefined,
  partSize: number,
): number | undefined {
  const size = naturalSize(webUploader?.chunkSize, first, length, partSize)
  if (size === undefined || length === null || length <= size * MOST_PARTS) return size
  return Math.min(LARGEST_CELL, Math.ceil(length / MOST_PARTS / MIB) * MIB)
}

function naturalSize(
  chunkSize: number | undefined,
  first: Piece | undefined,
  length: number | null,
  partSize: number,
): number | undefined {
  if (chunkSize !== undefined) return cellOfChunks(chunkSize, partSize)
  if (first === undefined) return undefined
  // A client that sends requests of one size probably goes on so.
  const { end } = first
  return end >= SMALLEST_PART && end <= LARGEST_NATURAL && (length === null || end < length) ? end : partSize
}

/** The cell for chunks of this size: whole chunks, or equal parts of one. */
export function cellOfChunks(chunkSize: number, partSize: number): number {
  if (chunkSize < SMALLEST_PART) return chunkSize * Math.ceil(SMALLEST_PART / chunkSize)
  for (let parts = Math.ceil(chunkSize / LARGEST_NATURAL); chunkSize / parts >= SMALLEST_PART; parts += 1) {
    if (chunkSize % parts === 0) return chunkSize / parts
  }
  return chunkSize <= LARGEST_CELL ? chunkSize : partSize
}

/** Where the cell that contains `position` ends. */
export function cellEnd(position: number, size: number): number {
  return (Math.floor(position / size) + 1) * size
}

/** The cells of a file, in order. An empty file has none. */
export function cellsOf(length: number, size: number): Range[] {
  const cells: Range[] = []
  for (let start = 0; start < length; start += size) cells.push({ start, end: Math.min(length, start + size) })
  return cells
}

/** How much of a stream is gathered while the size of the cells is open, in bytes. */
export function firstGathered(partSize: number): number {
  return Math.max(LARGEST_NATURAL, partSize)
}
