/** Which upload a WebUploader request means: the rule, as pure functions. Chunks are counted from 0. */
import { add, covers, missing, prefix, type Ranges, received } from '../server/core/ranges.ts'

/** After how many milliseconds without a request a sender or an upload counts as quiet. */
export const QUIET = 2_000

/** Sets of chunk numbers, kept as runs. */
export type ChunkSet = Ranges

/** What decides whether chunks of an upload may be skipped. */
export interface Skippable {
  /** Whether a sender has sent other bytes for a chunk that it has. */
  readonly contested: boolean
  /** Whether nothing is in flight, and its last request failed, or it is quiet, or the service has just started. */
  readonly atRest: boolean
  /** The chunks that are wholly there. */
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
  /** The known date of the file, in milliseconds since 1970. */
  readonly modified: number | undefined
  /** Grows with each request that feeds an upload. */
  readonly fed: number
}

/** What a request says of its chunk. */
export interface Chunk {
  readonly chunk: number
  readonly chunks: number
  readonly modified: number | undefined
}

/** What is remembered of a sender whose upload is not settled. */
export interface SenderState {
  /** The upload that its chunk 0 has to prove equal. */
  readonly proving?: string | undefined
  /** It was struck off an upload: by chunk 0, or by a later one, and then when its last chunk came, in milliseconds. */
  readonly struck?: { readonly byLater: boolean; readonly last: number } | undefined
}

/**
 * `use`: the sender is known. `prove`: chunk 0 is compared, the sender's other chunks wait for that. `wait`: until a chunk 0 of the
 * sender has been decided. `create`: a new upload.
 */
export type Decision =
  | { readonly kind: 'use' | 'prove'; readonly id: string }
  | { readonly kind: 'wait' | 'create' | 'content_differs' | 'wrongly_skipped' }

/**
 * Decides where a chunk goes; the first rule that fits counts.
 *
 * @param skips whether a `/check` has named a chunk of this file behind chunk 0 that the page may skip.
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
  if (sender.struck !== undefined) {
    // The page takes chunks for sent that lie in the other upload: it has to fail, and to begin again with chunk 0.
    if (sender.struck.byLater && now - sender.struck.last < QUIET) return { kind: 'content_differs' }
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
 * The chunks that a page need not send: those that every upload has that it can mean. Chunk 0 is never among them: it is the proof
 * that the file is the same.
 */
export function chunksToSkip(meant: readonly Skippable[]): ChunkSet {
  const isUnclear = meant.some(({ atRest, contested, chunks }) => !atRest || contested || prefix(chunks) === 0)
  return isUnclear ? [] : common(meant)
}

/** The answer for a sender that is known: its upload alone is meant, at rest or not. */
export function chunksOfSender(upload: Candidate): ChunkSet {
  return prefix(upload.chunks) === 0 ? [] : common([upload])
}

/** Of the candidates, those that a check of these fields can mean if its sender is not known. */
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
 * Whether a page skipped by an old list: all that is missing lies below the chunk that was just stored, and was told at some time.
 *
 * @param chunks what the upload has, of `count` chunks.
 * @param ever all chunks that were ever told for its task.
 */
export function skippedWrongly(chunk: number, chunks: ChunkSet, count: number, ever: ChunkSet): boolean {
  const gaps = missing(chunks, { start: 0, end: count })
  return gaps.length > 0 && gaps.every((gap) => gap.end <= chunk && covers(ever, gap))
}

/**
 * Whether a file that several senders fed is one file: a single sender has all of its chunks, but for those that it may have skipped.
 *
 * @param shares for each sender the chunks that it fed, or sent again equal.
 */
export function isWhole(shares: readonly ChunkSet[], count: number, ever: ChunkSet): boolean {
  const all = { start: 0, end: count }
  const skippable = received(ever, { start: 1, end: count })
  return shares.some((share) =>
    covers(
      skippable.reduce((sum, run) => add(sum, run), share),
      all,
    ),
  )
}

/** What `/upload/complete` looks at. */
export interface Completable {
  /** When it was finished, in milliseconds since 1970. */
  readonly finished: number | undefined
  /** Whether a complete has confirmed it. */
  readonly confirmed: boolean
  readonly fed: number
}

/** The upload that a complete means: the newest finished one that none has confirmed yet, or else the one fed last. */
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
