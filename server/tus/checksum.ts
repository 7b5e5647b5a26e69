import { createHash, type Hash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { ALGORITHMS, type Algorithm, fromBase64 } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import type { Source } from '../core/source.ts'

/** For `Tus-Checksum-Algorithm`. */
export const CHECKSUM_ALGORITHMS = ['sha1', 'sha256', 'md5'].join(',')

/** What a client says its body is. */
interface Checksum {
  readonly algorithm: Algorithm
  readonly value: Buffer
}

/**
 * The body of a request as it is to be stored: if it comes with a checksum (checksum and checksum-trailer extensions), a source
 * that has proved itself whole only when the checksum matches; otherwise `undefined`.
 *
 * @throws UploadError `bad_request` when the header is malformed or the algorithm is not supported.
 */
export function checksummed(request: IncomingMessage, body: Source): Source | undefined {
  const header = checksumIn(request.headers)
  if (header !== undefined) return new ChecksummedSource(body, [header.algorithm], () => header)
  if (!announcesTrailer(request.headers)) return undefined
  // The algorithm is known only at the end.
  return new ChecksummedSource(body, ALGORITHMS, () => {
    const trailer = checksumIn(request.trailers)
    if (trailer === undefined) throw bad('Upload-Checksum was announced as a trailer, but did not come.')
    return trailer
  })
}

function announcesTrailer(headers: IncomingHttpHeaders): boolean {
  const names = (headers.trailer ?? '').split(',')
  return names.some((name) => name.trim().toLowerCase() === 'upload-checksum')
}

/** @throws UploadError `bad_request`. */
function checksumIn(headers: NodeJS.Dict<string | string[]>): Checksum | undefined {
  const text = headers['upload-checksum']
  if (text === undefined) return undefined
  const [name, encoded, ...more] = String(text).split(' ')
  const algorithm = ALGORITHMS.find((known) => known === name)
  if (algorithm === undefined) throw bad(`Upload-Checksum must name one of ${CHECKSUM_ALGORITHMS}.`)
  const value = fromBase64(encoded ?? '')
  if (value === undefined || value.length === 0 || more.length > 0) {
    throw bad('Upload-Checksum must be an algorithm and a checksum in base64.')
  }
  return { algorithm, value }
}

/** Hands on the bytes of a body, and ends only if they have the checksum. */
class ChecksummedSource implements Source {
  readonly #body: Source
  readonly #hashes: ReadonlyMap<Algorithm, Hash>
  readonly #expected: () => Checksum

  constructor(body: Source, algorithms: readonly Algorithm[], expected: () => Checksum) {
    this.#body = body
    this.#hashes = new Map(algorithms.map((algorithm) => [algorithm, createHash(algorithm)]))
    this.#expected = expected
  }

  get waitingSince(): number | undefined {
    return this.#body.waitingSince
  }

  async read(): Promise<readonly Buffer[] | null> {
    const batch = await this.#body.read()
    if (batch === null) this.#verify()
    else for (const hash of this.#hashes.values()) for (const bytes of batch) hash.update(bytes)
    return batch
  }

  cancel(reason: Error): void {
    this.#body.cancel(reason)
  }

  /** @throws UploadError `checksum_mismatch`. */
  #verify(): void {
    const { algorithm, value } = this.#expected()
    if (this.#hashes.get(algorithm)?.digest().equals(value)) return
    throw new UploadError('checksum_mismatch', `The body does not have the ${algorithm} that Upload-Checksum says.`)
  }
}

function bad(message: string): UploadError {
  return new UploadError('bad_request', message)
}
