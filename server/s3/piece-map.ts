import { add, type Range, type Ranges, union } from '../core/ranges.ts'
import type { Piece } from './names.ts'

/** The pieces of an upload that count. */
export class PieceMap {
  /** In order of their beginnings. */
  readonly #pieces: Piece[]
  #received: Ranges

  constructor(pieces: readonly Piece[]) {
    this.#pieces = [...pieces].sort((a, b) => a.start - b.start)
    this.#received = union(pieces)
  }

  get all(): readonly Piece[] {
    return this.#pieces
  }

  get received(): Ranges {
    return this.#received
  }

  /** The piece with the first byte; the longest, if there are several. */
  get first(): Piece | undefined {
    return this.at(0)
  }

  add(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      const index = this.#pieces.findLastIndex(({ start }) => start <= piece.start)
      this.#pieces.splice(index + 1, 0, piece)
      this.#received = add(this.#received, piece)
    }
  }

  /** The piece with the byte at `position` that goes farthest. */
  at(position: number): Piece | undefined {
    let best: Piece | undefined
    for (const piece of this.#pieces) {
      if (piece.start > position) break
      if (piece.end > position && (best === undefined || piece.end > best.end)) best = piece
    }
    return best
  }

  /** A piece that has all bytes of `range`. */
  with(range: Range): Piece | undefined {
    const piece = this.at(range.start)
    return piece !== undefined && piece.end >= range.end ? piece : undefined
  }

  /** Those that lie wholly within `range`. */
  within(range: Range): readonly Piece[] {
    return this.#pieces.filter(({ start, end }) => start >= range.start && end <= range.end)
  }

  /**
   * Forgets the pieces whose bytes covers have.
   *
   * @returns them. One piece of an attempt alone is never among them: without it, the others would not count.
   */
  takeCovered(): readonly Piece[] {
    const covers = this.#pieces.filter(({ isCover }) => isCover)
    const isCovered = (piece: Piece): boolean => covers.some((cover) => replaces(cover, piece))
    const needed = new Set(this.#pieces.filter((piece) => !isCovered(piece)).map(({ token }) => token))
    const taken = this.#pieces.filter((piece) => !needed.has(piece.token))
    for (const piece of taken) this.#pieces.splice(this.#pieces.indexOf(piece), 1)
    return taken
  }
}

/** Whether `cover` makes `piece` unnecessary. Of two covers with the same range, the one with the smaller name stays. */
export function replaces(cover: Piece, piece: Piece): boolean {
  if (cover === piece || cover.start > piece.start || piece.end > cover.end) return false
  const isSame = cover.start === piece.start && cover.end === piece.end
  return !(piece.isCover && isSame) || cover.name < piece.name
}
