import { MIB } from '../sizes.ts'

/** The most bytes that `patternAt` gives at once. */
export const LONGEST_PIECE = MIB

/** A prime, so that a piece that lands at a wrong multiple of any chunk size is noticed. */
const PERIOD = 1_048_573

const twice = fill(PERIOD + LONGEST_PIECE)

/** The bytes that every upload of the bench has at `offset`: a view on one buffer. @param length at most `LONGEST_PIECE`. */
export function patternAt(offset: number, length: number): Buffer {
  const start = offset % PERIOD
  return twice.subarray(start, start + length)
}

/** Whether `bytes` are those of the pattern at `offset`. */
export function isPatternAt(offset: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += LONGEST_PIECE) {
    const piece = bytes.subarray(at, at + LONGEST_PIECE)
    if (!piece.equals(patternAt(offset + at, piece.length))) return false
  }
  return true
}

/** Bytes that do not compress and hold no delimiter, the same in every run (xorshift32). */
function fill(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 0x9e3779b9
  for (let at = 0; at < PERIOD; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state
  }
  bytes.copy(bytes, PERIOD, 0, length - PERIOD)
  return bytes
}
