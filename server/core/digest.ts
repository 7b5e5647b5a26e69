import { createHash, type Hash } from 'node:crypto'
import { UploadError } from './errors.ts'
import type { Range } from './ranges.ts'
import { bytesIn } from './reader.ts'
import type { Metadata } from './record.ts'

/**
 * The supported digests, strongest first, by their names in node:crypto. Clients use these as keys of their metadata.
 */
export const ALGORITHMS = ['sha512', 'sha256', 'sha1', 'md5'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

const SIZES: Readonly<Record<Algorithm, number>> = { sha512: 64, sha256: 32, sha1: 20, md5: 16 }

/** The digest of the whole file as its client announced it. */
export interface ExpectedDigest {
  readonly algorithm: Algorithm
  readonly value: Buffer
}

/** The strongest digest in the metadata, as hexadecimal or base64 text; other values are ignored. */
export function expectedDigest(metadata: Metadata): ExpectedDigest | undefined {
  for (const algorithm of ALGORITHMS) {
    const text = metadata[algorithm]
    const value = text ? parseDigest(algorithm, text) : undefined
    if (value !== undefined) return { algorithm, value }
  }
  return undefined
}

/** @throws UploadError `bad_request` if the length of a digest does not match its algorithm. */
export function checkSizes(digests: ReadonlyMap<Algorithm, Buffer>): void {
  for (const [algorithm, { length }] of digests) {
    if (length === SIZES[algorithm]) continue
    throw new UploadError('bad_request', `A digest of ${algorithm} must have ${SIZES[algorithm]} bytes, not ${length}.`)
  }
}

function parseDigest(algorithm: Algorithm, text: string): Buffer | undefined {
  const size = SIZES[algorithm]
  if (text.length === size * 2 && /^[0-9a-f]+$/i.test(text)) return Buffer.from(text, 'hex')
  const value = fromBase64(text)
  return value?.length === size ? value : undefined
}

/** The bytes of strict base64 text; `undefined` if it is not base64. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return unpadded(bytes.toString('base64')) === unpadded(text) ? bytes : undefined
}

/** Matches only where padding begins: a text of nothing but padding must not take quadratic time. */
function unpadded(text: string): string {
  return text.replace(/(?<!=)=+$/, '')
}

/** A digest that is computed while bytes arrive in order. The rest is read from the store at the end. */
export class RunningDigest {
  readonly algorithm: Algorithm
  readonly #hash: Hash
  /** How many bytes from 0 on are in the digest. */
  #position = 0

  constructor(algorithm: Algorithm) {
    this.algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  /** Adds bytes that are stored at `position`, if they are the next ones. */
  pass(position: number, buffers: readonly Buffer[]): void {
    if (position !== this.#position) return
    for (const buffer of buffers) this.#hash.update(buffer)
    this.#position += bytesIn(buffers)
  }

  /**
   * The digest of the whole file of `length` bytes.
   *
   * @throws UploadError `storage_error` if stored bytes cannot be read. It may be called again then.
   */
  async complete(length: number, read: (range: Range) => AsyncIterable<Buffer>): Promise<Buffer> {
    if (this.#position < length) {
      for await (const bytes of read({ start: this.#position, end: length })) this.pass(this.#position, [bytes])
    }
    if (this.#position !== length) throw new UploadError('storage_error', 'The stored bytes could not be read.')
    return this.#hash.copy().digest()
  }
}

/**
 * The digest of a range of bytes.
 *
 * @param bytes the whole range, in order.
 * @param length the expected number of bytes.
 * @throws UploadError `storage_error` if fewer bytes can be read; the reason of `signal`.
 */
export async function digestOf(
  algorithm: Algorithm,
  bytes: AsyncIterable<Buffer>,
  length: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const hash = createHash(algorithm)
  let left = length
  for await (const buffer of bytes) {
    signal.throwIfAborted()
    hash.update(buffer)
    left -= buffer.length
  }
  if (left !== 0) throw new UploadError('storage_error', 'The stored bytes could not be read.')
  return hash.digest()
}
