import type { Environment } from './environment.ts'
import type { LiveFolder } from './live-folder.ts'
import { type Piece, pieceName } from './names.ts'
import { newToken } from './token.ts'

/** Where pieces are copied to. */
export interface Destination {
  readonly folder: LiveFolder
  readonly term: number
  /** Where the first byte goes. */
  readonly position: number
}

/**
 * Copies pieces within S3, as one attempt of another upload.
 *
 * @param pieces each byte once, in order.
 * @returns the pieces of the attempt; they do not count yet.
 * @throws S3Error.
 */
export async function copyPieces(
  { parallel }: Environment,
  from: LiveFolder,
  pieces: readonly Piece[],
  { folder, term, position }: Destination,
): Promise<readonly Piece[]> {
  const token = newToken()
  const copies = pieces.map((source, index) => {
    const facts = { term, token, index, isLast: index === pieces.length - 1, isCover: false }
    const range = { start: source.start + position, end: source.end + position }
    return { source, copy: { ...facts, ...range, name: pieceName({ ...facts, ...range }) } }
  })
  const copyOne = async ({ source, copy }: { source: Piece; copy: Piece }): Promise<void> => {
    await folder.copy(from, source.name, copy.name)
  }
  const left = copies.slice(0, -1).values()
  const copyNext = async (): Promise<void> => {
    for (const one of left) await copyOne(one)
  }
  await Promise.all(Array.from({ length: parallel }, copyNext))
  const last = copies.at(-1)
  // Only now: from here on the attempt may count.
  if (last !== undefined) await copyOne(last)
  return copies.map(({ copy }) => copy)
}
