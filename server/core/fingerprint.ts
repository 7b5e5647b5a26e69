import { createHash } from 'node:crypto'
import type { Range } from './ranges.ts'

/** Samples of a large file, its beginning and its end included, and the bytes of each. */
const SAMPLES = 8
const SAMPLE_SIZE = 16 * 1024

/** The samples of a file of `length` bytes. The page `/` takes the same ones. */
export function samplesOf(length: number): readonly Range[] {
  if (length === 0) return []
  if (length <= SAMPLES * SAMPLE_SIZE) return [{ start: 0, end: length }]
  const step = (length - SAMPLE_SIZE) / (SAMPLES - 1)
  return Array.from({ length: SAMPLES }, (_, i) => {
    const start = Math.round(i * step)
    return { start, end: start + SAMPLE_SIZE }
  })
}

/**
 * The fingerprint of a file: the SHA-256 of its samples, as hexadecimal text. Equal fingerprints are only a hint.
 *
 * @throws what `read` throws.
 */
export async function fingerprintOf(length: number, read: (range: Range) => AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  // Together: each read takes several turns of the disk.
  const samples = await Promise.all(samplesOf(length).map((sample) => bytesOf(read(sample))))
  for (const bytes of samples) hash.update(bytes)
  return hash.digest('hex')
}

/** The bytes of a short range. */
export async function bytesOf(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const bytes of pieces) copies.push(Buffer.from(bytes))
  return Buffer.concat(copies)
}

/** The same for a file in memory. */
export function fingerprintOfBytes(bytes: Buffer): string {
  const hash = createHash('sha256')
  for (const { start, end } of samplesOf(bytes.length)) hash.update(bytes.subarray(start, end))
  return hash.digest('hex')
}
