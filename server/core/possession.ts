import { createHash } from 'node:crypto'
import { bytesOf } from './fingerprint.ts'
import type { Range } from './ranges.ts'

/** Ranges of a large file, and the bytes of each. */
const RANGES = 256
const RANGE_SIZE = 16 * 1024
/** How many ranges are read at a time: most of the time, a read waits. */
const CONCURRENT_READS = 16
/** Bytes that select a range. */
const CHOICE_SIZE = 6

/**
 * The ranges whose bytes prove that a client has a file: one at a random place in each 256th of it, in order; the whole
 * file, if that is not more.
 *
 * @param nonce random bytes, which determine them.
 * @param size of the file, in bytes.
 */
export function provingRanges(nonce: Buffer, size: number): readonly Range[] {
  if (size === 0) return []
  if (size <= RANGES * RANGE_SIZE) return [{ start: 0, end: size }]
  const choices = createHash('shake256', { outputLength: RANGES * CHOICE_SIZE })
    .update(nonce)
    .digest()
  const places = size - RANGE_SIZE + 1
  return Array.from({ length: RANGES }, (_, i) => {
    const choice = choices.readUIntBE(i * CHOICE_SIZE, CHOICE_SIZE) / 2 ** (CHOICE_SIZE * 8)
    // The sum may round up to the next whole number.
    const start = Math.min(places - 1, Math.floor(((i + choice) / RANGES) * places))
    return { start, end: start + RANGE_SIZE }
  })
}

/**
 * The proof: the SHA-256 of the nonce and the ranges, in order. The nonce comes first, so no digest that was published
 * is a proof.
 *
 * @throws what `read` throws; the reason of `signal`.
 */
export async function proofOf(
  nonce: Buffer,
  size: number,
  read: (range: Range) => AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<Buffer> {
  const hash = createHash('sha256').update(nonce)
  const ranges = provingRanges(nonce, size)
  if (ranges.length <= 1) {
    for (const range of ranges) {
      for await (const bytes of read(range)) {
        signal.throwIfAborted()
        hash.update(bytes)
      }
    }
    return hash.digest()
  }
  for (let i = 0; i < ranges.length; i += CONCURRENT_READS) {
    signal.throwIfAborted()
    const pieces = await Promise.all(ranges.slice(i, i + CONCURRENT_READS).map((range) => bytesOf(read(range))))
    for (const bytes of pieces) hash.update(bytes)
  }
  return hash.digest()
}
