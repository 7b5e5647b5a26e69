import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { type Algorithm, fromBase64 } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import type { Source } from '../core/source.ts'
import type { CountedSource } from '../protocol/intake.ts'
import { type Digests, VerifiedSource } from '../protocol/verified-source.ts'

const ALGORITHMS: readonly Algorithm[] = ['sha1', 'sha256', 'md5']

/** For `Tus-Checksum-Algorithm`. */
export const CHECKSUM_ALGORITHMS = ALGORITHMS.join(',')

/**
 * The source of a body. If the body has a checksum (checksum and checksum-trailer extensions), its bytes count only if
 * the checksum matches.
 *
 * @throws UploadError `bad_request` if the header is malformed or the algorithm is not supported.
 */
export function checksummed(request: IncomingMessage, body: Source): CountedSource {
  const header = checksumIn(request.headers)
  if (header !== undefined) {
    return { source: new VerifiedSource(body, [...header.keys()], () => header), count: 'when-verified' }
  }
  if (!announcesTrailer(request.headers)) return { source: body, count: 'as-received' }
  // Only the trailer names the algorithm.
  const source = new VerifiedSource(body, ALGORITHMS, () => {
    const trailer = checksumIn(request.trailers)
    if (trailer === undefined) throw bad('Upload-Checksum was announced as a trailer, but is missing.')
    return trailer
  })
  return { source, count: 'when-verified' }
}

function announcesTrailer(headers: IncomingHttpHeaders): boolean {
  const names = (headers.trailer ?? '').split(',')
  return names.some((name) => name.trim().toLowerCase() === 'upload-checksum')
}

/** @throws UploadError `bad_request`. */
function checksumIn(headers: NodeJS.Dict<string | string[]>): Digests | undefined {
  const text = headers['upload-checksum']
  if (text === undefined) return undefined
  const [name = '', encoded, ...more] = String(text)
    .trim()
    .split(/[ \t]+/)
  const algorithm = ALGORITHMS.find((known) => known === name.toLowerCase())
  if (algorithm === undefined) throw bad(`Upload-Checksum must name one of ${CHECKSUM_ALGORITHMS}.`)
  const value = fromBase64(encoded ?? '')
  if (value === undefined || value.length === 0 || more.length > 0) {
    throw bad('Upload-Checksum must be an algorithm and a checksum in base64.')
  }
  return new Map([[algorithm, value]])
}

function bad(message: string): UploadError {
  return new UploadError('bad_request', message)
}
