import { compareRange } from './comparison.ts'
import { UploadError } from './errors.ts'
import type { Destination, Put } from './put.ts'
import { lengthOf, overlap, type Range, type Ranges } from './ranges.ts'
import { bytesIn, Reader } from './reader.ts'
import type { Attempt, StoredUpload } from './store.ts'

/**
 * Writes a chunk into its range, all of it or nothing: it counts once the source has proved itself whole. A source that
 * ends early must have checked that this is right (chunk 0 may turn out shorter than its hint). Bytes that have been
 * received already are compared and dropped.
 *
 * @returns how many bytes were new.
 * @throws UploadError what the source, the claim, or the store throw; `wrong_length` for bytes beyond the range;
 * `content_differs`. Nothing counts then.
 */
export async function putChunk(upload: Destination, put: Put): Promise<number> {
  const claim = await put.claimWhole()
  const attempts: Attempt[] = []
  let added = 0
  try {
    upload.check()
    const reader = new Reader(put.source)
    for (const piece of piecesOf(put.range, claim.ranges)) {
      if (piece.missing) {
        const written = await writePiece(upload.stored, reader, piece, attempts)
        added += written
        if (written < lengthOf(piece)) break
      } else if (!(await compareRange(upload.stored, piece, reader))) break
    }
    if ((await reader.take(1)) !== null) {
      throw new UploadError('wrong_length', 'The chunk is longer than its place in the file.')
    }
    upload.check()
    if (attempts.length === 0) await upload.stored.confirm()
    await allCommitted(attempts)
  } finally {
    // While the claim is held, no other request writes to this range.
    for (const attempt of attempts) await attempt.discard()
    claim.release()
  }
  upload.committed()
  return added
}

/** Commits all attempts, also after one has failed: what a failed commit leaves is known only when all have ended. */
async function allCommitted(attempts: readonly Attempt[]): Promise<void> {
  const commits = await Promise.allSettled(attempts.map((attempt) => attempt.commit()))
  const failed = commits.find((commit) => commit.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

interface Piece extends Range {
  readonly missing: boolean
}

function piecesOf(range: Range, claimed: Ranges): Piece[] {
  const pieces: Piece[] = []
  let start = range.start
  for (const gap of claimed.filter((r) => overlap(r, range))) {
    if (gap.start > start) pieces.push({ start, end: gap.start, missing: false })
    pieces.push({ ...gap, missing: true })
    start = gap.end
  }
  if (start < range.end) pieces.push({ start, end: range.end, missing: false })
  return pieces
}

/** @returns how many bytes of the piece the source had. */
async function writePiece(stored: StoredUpload, reader: Reader, piece: Piece, attempts: Attempt[]): Promise<number> {
  const attempt = await stored.begin(piece, 'when-verified')
  attempts.push(attempt)
  let position = piece.start
  while (position < piece.end) {
    const bytes = await reader.take(piece.end - position)
    if (bytes === null) break
    await attempt.write(bytes)
    position += bytesIn(bytes)
  }
  return position - piece.start
}
