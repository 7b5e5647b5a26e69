import { UploadError } from '../core/errors.ts'
import { type Range, type Ranges, union } from '../core/ranges.ts'
import type { Piece } from './names.ts'
import { replaces } from './piece-map.ts'

/** A piece as S3 lists it. */
export interface ListedPiece {
  readonly piece: Piece
  /** Bytes. */
  readonly size: number
}

/** What counts of an upload. */
export interface Accepted {
  /** In order of their beginnings. Bytes that several of them have are equal. */
  readonly pieces: readonly Piece[]
  readonly received: Ranges
  /** Names of listed pieces that do not count, and never will. */
  readonly void: readonly string[]
}

/**
 * Decides which pieces count: those that the manifest names, and the whole attempts of its term. What another term has
 * written does not, whenever it arrives.
 *
 * @param term the highest one that has a manifest; 1 if none has.
 * @param manifest the names of the pieces that counted when the term began.
 * @param mayLack whether bytes may have been deleted, because the upload does not need them any more.
 * @throws UploadError `storage_error` if a byte that counted is missing, or two contents claim one place.
 */
export function accept(
  listed: readonly ListedPiece[],
  term: number,
  manifest: ReadonlySet<string>,
  mayLack = false,
): Accepted {
  const whole = listed.filter(({ piece, size }) => size === piece.end - piece.start).map(({ piece }) => piece)
  const attempts = wholeAttempts(whole.filter((piece) => piece.term === term))
  const candidates = whole.filter((piece) => manifest.has(piece.name) || attempts.has(piece.token))
  const covers = candidates.filter(({ isCover }) => isCover)
  const needed = candidates.filter((piece) => !covers.some((cover) => replaces(cover, piece)))
  checkDisjoint(needed.filter(({ isCover }) => !isCover))
  const pieces = needed.toSorted((a, b) => a.start - b.start || a.end - b.end)
  const received = union(pieces)
  if (!mayLack) checkComplete(manifest, received)
  const counting = new Set(candidates)
  return { pieces, received, void: listed.filter(({ piece }) => !counting.has(piece)).map(({ piece }) => piece.name) }
}

/** The tokens of the attempts all of whose pieces are there, up to the last. */
function wholeAttempts(pieces: readonly Piece[]): ReadonlySet<string> {
  const byToken = new Map<string, Piece[]>()
  for (const piece of pieces) {
    const known = byToken.get(piece.token)
    if (known === undefined) byToken.set(piece.token, [piece])
    else known.push(piece)
  }
  const whole = new Set<string>()
  for (const [token, attempt] of byToken) {
    const last = attempt.find((piece) => piece.isLast)
    const indexes = new Set(attempt.map((piece) => piece.index))
    if (last !== undefined && indexes.size === last.index + 1) whole.add(token)
  }
  return whole
}

function contains(outer: Range, inner: Range): boolean {
  return outer.start <= inner.start && inner.end <= outer.end
}

/** @throws UploadError `storage_error`. */
function checkDisjoint(pieces: readonly Piece[]): void {
  const ordered = [...pieces].sort((a, b) => a.start - b.start)
  for (const [i, piece] of ordered.entries()) {
    const next = ordered[i + 1]
    if (next !== undefined && next.start < piece.end) throw inconsistent(`${piece.name} and ${next.name} overlap`)
  }
}

/** @throws UploadError `storage_error` if bytes of the manifest are missing. */
function checkComplete(manifest: ReadonlySet<string>, received: Ranges): void {
  for (const name of manifest) {
    const range = rangeOf(name)
    if (!received.some((known) => contains(known, range))) throw inconsistent(`${name} is missing`)
  }
}

/** The range in the name of a piece. */
function rangeOf(name: string): Range {
  const [start, end] = name.slice(name.lastIndexOf('.') + 1).split('-')
  return { start: Number(start), end: Number(end) }
}

function inconsistent(cause: string): UploadError {
  return new UploadError('storage_error', 'Stored bytes of this upload are missing.', { cause: new Error(cause) })
}
