import type { Range } from '../core/ranges.ts'

/** How many neighbours are merged at once. */
export const MERGED = 64

/**
 * The range of the first pieces that should become one: neighbours of one size class, of which each is 64 times as
 * large as the one before. So a byte is stored again once per class, however small the pieces are that it arrives in.
 *
 * @param pieces in order, without overlaps.
 */
export function mergeable(pieces: readonly Range[]): Range | undefined {
  let run: Range[] = []
  for (const piece of pieces) {
    const last = run.at(-1)
    const continues = last !== undefined && last.end === piece.start && sizeClass(last) === sizeClass(piece)
    run = continues ? [...run, piece] : [piece]
    const [first] = run
    if (run.length === MERGED && first !== undefined) return { start: first.start, end: piece.end }
  }
  return undefined
}

function sizeClass({ start, end }: Range): number {
  return Math.floor(Math.log(end - start) / Math.log(MERGED))
}
