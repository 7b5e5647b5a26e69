import { lengthOf, type Range } from '../core/ranges.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Piece } from './names.ts'

/**
 * A file is composed of parts of one size, except the last: its cells. Where they begin is a function of the upload,
 * but only a hint: bytes of a cell that are in several pieces are stored once more, as one.
 */

const MIB = 1024 * 1024
/** The most parts of a multipart upload. */
const MOST_PARTS = 10_000

/** The sizes of cells, in bytes. */
export interface CellSizes {
  /** The usual one. */
  readonly usual: number
  /** The smallest part of a multipart upload that is not its last one. */
  readonly smallest: number
  /** The largest cell that is made of one request or chunk. */
  readonly largestNatural: number
  /** The largest piece: it must fit into memory. */
  readonly largest: number
  /** The cell of a file that is copied from another one: its parts never are in memory. */
  readonly copied: number
}

export function cellSizes(usual: number): CellSizes {
  return { usual, smallest: 5 * MIB, largestNatural: 16 * MIB, largest: 32 * MIB, copied: 256 * MIB }
}

/** The largest possible file, in bytes. */
export function largestFile({ largest }: CellSizes): number {
  return MOST_PARTS * largest
}

/**
 * The size of the cells of an upload, in bytes.
 *
 * @param first the piece with the first byte.
 * @returns `undefined` while nothing is known that it should follow from.
 */
export function cellSize(
  { length, webUploader }: Pick<UploadRecord, 'length' | 'webUploader'>,
  first: Piece | undefined,
  sizes: CellSizes,
): number | undefined {
  const size = naturalSize(webUploader?.chunkSize, first, length, sizes)
  if (size === undefined || length === null || length <= size * MOST_PARTS) return size
  return Math.min(sizes.largest, Math.ceil(length / MOST_PARTS / MIB) * MIB)
}

function naturalSize(
  chunkSize: number | undefined,
  first: Piece | undefined,
  length: number | null,
  sizes: CellSizes,
): number | undefined {
  if (chunkSize !== undefined) return cellOfChunks(chunkSize, sizes)
  if (first === undefined) return undefined
  const { end } = first
  // A client that sends requests of one size probably goes on so.
  const isNatural = end >= sizes.smallest && end <= sizes.largestNatural && (length === null || end < length)
  return isNatural ? end : sizes.usual
}

/** The cell for chunks of this size: whole chunks, or equal parts of one. */
export function cellOfChunks(chunkSize: number, { usual, smallest, largestNatural, largest }: CellSizes): number {
  if (chunkSize < smallest) return chunkSize * Math.ceil(smallest / chunkSize)
  for (let parts = Math.ceil(chunkSize / largestNatural); chunkSize / parts >= smallest; parts += 1) {
    if (chunkSize % parts === 0) return chunkSize / parts
  }
  return chunkSize <= largest ? chunkSize : usual
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
export function firstGathered({ usual, largestNatural }: CellSizes): number {
  return Math.max(largestNatural, usual)
}

/**
 * Where a piece from `position` on ends at most.
 *
 * @param known the size of the cells; `undefined` while it is open.
 * @param chunk the range of a chunk; without it, the bytes are a stream.
 */
export function pieceEnd(
  position: number,
  known: number | undefined,
  chunk: Range | undefined,
  sizes: CellSizes,
): number {
  if (known !== undefined) return cellEnd(position, known)
  if (chunk === undefined || position === 0) return position + firstGathered(sizes)
  return cellEnd(position - chunk.start, cellOfChunks(lengthOf(chunk), sizes)) + chunk.start
}
