/** Decides which upload a WebUploader request means. Pure functions; chunks are counted from 0. */
import { add, covers, missing, prefix, type Ranges, received } from '../server/core/ranges.ts'

/** After this many milliseconds without a request, a sender or an upload counts as quiet. */
export const QUIET_AFTER = 2_000

/** Sets of chunk numbers, as runs. */
export type ChunkSet = Ranges

/** The facts that decide whether chunks of an upload may be skipped. */
export interface Skippable {
  /** Whether a sender sent different bytes for a stored chunk. */
  readonly contested: boolean
  /** Whether no request is in flight, and the last one failed or is long over, or the service has just started. */
  readonly atRest: boolean
  /** The complete chunks. */
  readonly chunks: ChunkSet
}

/** An upload that a chunk or a check could mean: same task, name, size, and number of chunks. */
export interface Candidate extends Skippable {
  readonly id: string
  /** Whether it belongs to the caller; otherwise it was begun without a cookie. */
  readonly own: boolean
  /** Whether its record names the sender of the request. */
  readonly knowsSender: boolean
  readonly finished: boolean
  /** The modification time of the file if known, in milliseconds since 1970. */
  readonly modified: number | undefined
  /** Grows with each request for an upload. */
  readonly fed: number
}

/** What a request says about its chunk. */
export interface Chunk {
  readonly chunk: number
  readonly modified: number | undefined
}

/** The state of a sender whose upload is undecided. */
export interface SenderState {
  /** The upload that its chunk 0 must match. */
  readonly proving?: string | undefined
  /**
   * Set when an upload rejected it: whether for a chunk after chunk 0, and when its last chunk arrived, in
   * milliseconds.
   */
  readonly rejected?: { readonly byLaterChunk: boolean; readonly last: number } | undefined
}

/**
 * `use`: the sender is known. `prove`: chunk 0 is compared, and the sender's other chunks wait. `wait`: until a chunk 0
 * of the sender is decided. `create`: a new upload.
 */
export type Decision =
  | { readonly kind: 'use' | 'prove'; readonly id: string }
  | { readonly kind: 'wait' | 'create' | 'content_differs' | 'wrongly_skipped' }

/**
 * Decides where a chunk goes; the first matching rule wins.
 *
 * @param skips whether a `/check` has listed a chunk of this file after chunk 0, which the page may skip.
 */
export function decide(
  { chunk, modified }: Chunk,
  candidates: readonly Candidate[],
  sender: SenderState,
  skips: boolean,
  now: number,
): Decision {
  const known = candidates.find(({ own, knowsSender }) => own && knowsSender) ?? candidates.find((c) => c.knowsSender)
  if (known !== undefined) return { kind: 'use', id: known.id }
  if (sender.proving !== undefined) return { kind: 'prove', id: sender.proving }
  if (sender.rejected !== undefined) {
    // The page counts chunks as sent that went to the other upload: it must fail, and start again with chunk 0.
    if (sender.rejected.byLaterChunk && now - sender.rejected.last < QUIET_AFTER) return { kind: 'content_differs' }
    if (chunk !== 0) return { kind: 'wait' }
  } else {
    const joined = lastFed(candidates.filter((candidate) => canBeJoined(candidate, modified)))
    if (joined !== undefined) return { kind: 'prove', id: joined.id }
  }
  return { kind: skips ? 'wrongly_skipped' : 'create' }
}

function canBeJoined(candidate: Candidate, modified: number | undefined): boolean {
  const { own, finished, contested, atRest, chunks } = candidate
  return own && !finished && atRest && !contested && prefix(chunks) > 0 && !isOfOtherDate(candidate, modified)
}

function isOfOtherDate({ modified: known }: Candidate, modified: number | undefined): boolean {
  return known !== undefined && modified !== undefined && known !== modified
}

/**
 * The chunks that a page need not send: those in every upload that it can mean. Chunk 0 is never among them: it proves
 * that the file is the same.
 */
export function chunksToSkip(meant: readonly Skippable[]): ChunkSet {
  const isUnclear = meant.some(({ atRest, contested, chunks }) => !atRest || contested || prefix(chunks) === 0)
  return isUnclear ? [] : common(meant)
}

/** The answer for a known sender: only its own upload counts, at rest or not. */
export function chunksOfSender(upload: Candidate): ChunkSet {
  return prefix(upload.chunks) === 0 ? [] : common([upload])
}

/** The candidates that a check from an unknown sender can mean. */
export function meantByCheck(candidates: readonly Candidate[], modified: number | undefined): readonly Candidate[] {
  return candidates.filter((candidate) => candidate.own && !candidate.finished && !isOfOtherDate(candidate, modified))
}

function common(uploads: readonly Skippable[]): ChunkSet {
  const [first, ...others] = uploads.map(({ chunks }) => chunks)
  if (first === undefined) return []
  const behindFirst = received(first, { start: 1, end: Number.MAX_SAFE_INTEGER })
  return others.reduce<ChunkSet>((left, right) => left.flatMap((run) => received(right, run)), behindFirst)
}

/**
 * Whether a page skipped chunks from an outdated list: all missing chunks precede the one just stored, and were listed
 * at some time.
 *
 * @param chunks the stored chunks of the upload, of `count` in total.
 * @param listed all chunks ever listed for its task.
 */
export function skippedWrongly(chunk: number, chunks: ChunkSet, count: number, listed: ChunkSet): boolean {
  const gaps = missing(chunks, { start: 0, end: count })
  return gaps.length > 0 && gaps.every((gap) => gap.end <= chunk && covers(listed, gap))
}

/**
 * Whether a file that several senders fed is one file: a single sender has sent all its chunks, except those it may
 * have skipped.
 *
 * @param shares per sender, the chunks that it sent first, or sent again with equal bytes.
 */
export function isWhole(shares: readonly ChunkSet[], count: number, listed: ChunkSet): boolean {
  const all = { start: 0, end: count }
  const skippable = received(listed, { start: 1, end: count })
  return shares.some((share) =>
    covers(
      skippable.reduce((sum, run) => add(sum, run), share),
      all,
    ),
  )
}

/** What `/upload/complete` considers. */
export interface Completable {
  /** When the file was finished, in milliseconds since 1970. */
  readonly finished: number | undefined
  /** Whether a complete has confirmed the file. */
  readonly confirmed: boolean
  readonly fed: number
}

/**
 * The upload that a complete means: the newest finished one that is not confirmed, or else the most recently fed one.
 */
export function meantByComplete<T extends Completable>(uploads: readonly T[]): T | undefined {
  const unconfirmed = uploads.filter(({ finished, confirmed }) => finished !== undefined && !confirmed)
  const byFinish = [...unconfirmed].sort((a, b) => (b.finished ?? 0) - (a.finished ?? 0) || b.fed - a.fed)
  return byFinish[0] ?? lastFed(uploads)
}

function lastFed<T extends { readonly fed: number }>(uploads: readonly T[]): T | undefined {
  return uploads.reduce<T | undefined>(
    (last, next) => (last === undefined || next.fed > last.fed ? next : last),
    undefined,
  )
}
