import { MIB } from '../sizes.ts'

/** Maximum length of `patternAt`, in bytes. */
export const LONGEST_PIECE = MIB

/** A prime, so a chunk at a wrong multiple of its size differs from the pattern. */
const PERIOD = 1_048_573

const twice = fill(PERIOD + LONGEST_PIECE)

/** The bytes of every upload at `offset`: a view on a shared buffer. @param length at most `LONGEST_PIECE`. */
export function patternAt(offset: number, length: number): Buffer {
  const start = offset % PERIOD
  return twice.subarray(start, start + length)
}

/** Whether `bytes` equal the pattern at `offset`. */
export function isPatternAt(offset: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += LONGEST_PIECE) {
    const piece = bytes.subarray(at, at + LONGEST_PIECE)
    if (!piece.equals(patternAt(offset + at, piece.length))) return false
  }
  return true
}

/** Incompressible bytes without a delimiter, the same in every run (xorshift32). */
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
