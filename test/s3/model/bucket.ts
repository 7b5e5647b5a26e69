import { accept } from '../../../server/s3/accept.ts'
import { type Piece, pieceName } from '../../../server/s3/names.ts'

/** A piece, and for each of its bytes the number of the attempt that brought it: bytes of two attempts differ. */
export interface StoredPiece {
  readonly piece: Piece
  readonly bytes: readonly number[]
  /** Short, since states are compared as JSON. */
  toJSON(): string
}

export interface Claim {
  readonly term: number
  /** The day on which it was written. */
  readonly day: number
}

export interface Manifest {
  readonly term: number
  readonly names: readonly string[]
  readonly isLeaving: boolean
}

/** What S3 has of one upload. */
export interface Bucket {
  /** That of term 1 is the first record. */
  readonly claims: readonly Claim[]
  readonly manifests: readonly Manifest[]
  /** The terms of the records that say that the removal has begun. */
  readonly leaving: readonly number[]
  readonly pieces: readonly StoredPiece[]
  /** Requests that have been sent, and may be applied at any time. */
  readonly flying: readonly (StoredPiece | Manifest)[]
  readonly done: 'none' | 'finished' | 'gone'
  /** The day of `done`. */
  readonly endedOn: number
  /** The bytes of the finished file. */
  readonly file: readonly number[] | undefined
}

export const NEW_BUCKET: Bucket = {
  claims: [{ term: 1, day: 0 }],
  manifests: [],
  leaving: [],
  pieces: [],
  flying: [],
  done: 'none',
  endedOn: 0,
  file: undefined,
}

/** What an opener finds. */
export interface View {
  readonly counted: readonly StoredPiece[]
  /** Names of pieces that do not count. */
  readonly useless: readonly string[]
  readonly isLeaving: boolean
}

/** @param bytes one number for each place from `start` on. */
export function storedPiece(
  facts: Pick<Piece, 'term' | 'index' | 'isLast' | 'isCover' | 'start'>,
  attempt: number,
  bytes: readonly number[],
): StoredPiece {
  const whole = { ...facts, token: String(attempt).padStart(16, '0'), end: facts.start + bytes.length }
  const name = pieceName(whole)
  return { piece: { ...whole, name }, bytes, toJSON: () => `${name} ${bytes}` }
}

export function topTerm({ claims }: Bucket): number {
  return Math.max(0, ...claims.map(({ term }) => term))
}

export function hasLanded({ pieces }: Bucket, { piece }: StoredPiece): boolean {
  return pieces.some((stored) => stored.piece.name === piece.name)
}

export function without(pieces: readonly StoredPiece[], names: ReadonlySet<string>): readonly StoredPiece[] {
  return pieces.filter(({ piece }) => !names.has(piece.name))
}

/** Most steps change nothing in S3. */
const views = new WeakMap<Bucket, { readonly view: View | undefined; readonly usesManifest: boolean }>()

/** @returns `undefined` if the pieces contradict each other, or some are missing. */
export function viewOf(bucket: Bucket, usesManifest: boolean): View | undefined {
  const known = views.get(bucket)
  if (known?.usesManifest === usesManifest) return known.view
  const view = computeView(bucket, usesManifest)
  views.set(bucket, { view, usesManifest })
  return view
}

function computeView(bucket: Bucket, usesManifest: boolean): View | undefined {
  const newest = bucket.manifests.at(-1)
  const term = newest?.term ?? 1
  const names = usesManifest ? (newest?.names ?? []) : bucket.pieces.map(({ piece }) => piece.name)
  const listed = bucket.pieces.map(({ piece, bytes }) => ({ piece, size: bytes.length }))
  try {
    const accepted = accept(listed, term, new Set(names))
    const counting = new Set(accepted.pieces.map(({ name }) => name))
    return {
      counted: bucket.pieces.filter(({ piece }) => counting.has(piece.name)),
      useless: accepted.void,
      isLeaving: bucket.leaving.includes(term) || newest?.isLeaving === true,
    }
  } catch {
    return undefined
  }
}

/** All contents that pieces have for a place. */
export function contentsAt(pieces: readonly StoredPiece[], place: number): ReadonlySet<number> {
  return new Set(
    pieces
      .filter(({ piece }) => piece.start <= place && place < piece.end)
      .map(({ piece, bytes }) => bytes[place - piece.start] ?? 0),
  )
}

/** How many places from 0 on have a content. */
export function offsetOf(pieces: readonly StoredPiece[]): number {
  let place = 0
  while (contentsAt(pieces, place).size > 0) place += 1
  return place
}
