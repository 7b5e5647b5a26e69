import { lengthOf, type Range } from '../core/ranges.ts'
import { cellEnd } from './cells.ts'
import type { Environment } from './environment.ts'
import type { LiveFolder } from './live-folder.ts'
import { MERGED, mergeable } from './merging.ts'
import { type Piece, pieceName } from './names.ts'
import { PieceCache } from './piece-cache.ts'
import type { PieceMap } from './piece-map.ts'
import type { Term } from './term.ts'
import { newToken } from './token.ts'

/** What covers need of their upload. */
export interface CoveredUpload {
  readonly folder: LiveFolder
  readonly term: Term
  readonly pieces: PieceMap
  /** Bytes. */
  readonly cellSize: number
  read(range: Range): AsyncIterable<Buffer>
  /** @throws UploadError `moved`. */
  check(): void
}

/**
 * Stores bytes of several pieces once more, as one: as a part of the file, and so that tiny pieces never become too many
 * to list. The pieces are deleted then. A cover only repeats what counts: if one is lost, another one is stored.
 */
export class Covers {
  readonly #environment: Environment
  readonly #upload: CoveredUpload
  readonly #cache: PieceCache
  /** By their ranges. */
  readonly #running = new Map<string, Promise<Piece>>()

  constructor(environment: Environment, upload: CoveredUpload) {
    this.#environment = environment
    this.#upload = upload
    this.#cache = new PieceCache(environment.budget)
  }

  /** Keeps the bytes of a piece in memory, if it will probably be covered. */
  keep(piece: Piece, bytes: Buffer): void {
    if (lengthOf(piece) < this.#environment.cells.smallest) this.#cache.add(piece, bytes)
  }

  forget(pieces: readonly Piece[]): void {
    this.#cache.remove(pieces)
  }

  /** Merges tiny pieces of the cell of a new one, in the background. */
  mergeAround(piece: Piece): void {
    const { cellSize, pieces } = this.#upload
    const end = cellEnd(piece.start, cellSize)
    const cell = pieces.within({ start: end - cellSize, end })
    const range = cell.length < MERGED ? undefined : mergeable(cell)
    if (range !== undefined) this.pieceWith(range).catch(() => undefined)
  }

  /** A piece that has all bytes of `range`, which have been received. @throws UploadError, S3Error. */
  async pieceWith(range: Range): Promise<Piece> {
    const known = this.#upload.pieces.with(range)
    if (known !== undefined) return known
    const key = `${range.start}-${range.end}`
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const storing = this.#store(range).finally(() => this.#running.delete(key))
    this.#running.set(key, storing)
    return storing
  }

  /** Waits until none is being stored, and gives back memory. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running.values())
    this.#cache.clear()
  }

  async #store(range: Range): Promise<Piece> {
    const { budget } = this.#environment
    const { folder, term } = this.#upload
    const size = lengthOf(range)
    await budget.take(size)
    try {
      const bytes = Buffer.allocUnsafeSlow(size)
      let filled = 0
      for await (const buffer of this.#read(range)) filled += buffer.copy(bytes, filled)
      const facts = { term: term.number, token: newToken(), index: 0, isLast: true, isCover: true, ...range }
      const cover = { ...facts, name: pieceName(facts) }
      this.#upload.check()
      await folder.put(cover.name, bytes)
      await term.check()
      this.#upload.check()
      return this.#replaceBy(cover)
    } finally {
      budget.give(size)
    }
  }

  #replaceBy(cover: Piece): Piece {
    const { folder, pieces } = this.#upload
    pieces.add([cover])
    const covered = pieces.takeCovered()
    this.#cache.remove(covered)
    folder.removeLater(covered)
    return cover
  }

  /** The bytes of a range, without S3 where they are in memory. */
  async *#read(range: Range): AsyncGenerator<Buffer> {
    let { start } = range
    while (start < range.end) {
      const piece = this.#upload.pieces.at(start)
      const end = Math.min(range.end, piece?.end ?? range.end)
      const cached = piece && this.#cache.read(piece, { start: start - piece.start, end: end - piece.start })
      if (cached !== undefined) yield cached
      else yield* this.#upload.read({ start, end })
      start = end
    }
  }
}
