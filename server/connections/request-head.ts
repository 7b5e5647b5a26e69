import type { IncomingMessage } from 'node:http'
import type { Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { isExpectationUnknown } from './expectation.ts'

/**
 * Maximum request head, in bytes. It fits `Upload-Concat` with 2,000 URLs of 100 characters, 20,000 bytes each of
 * cookies and metadata, and 16 KiB of the rest.
 */
export const MAX_HEAD_BYTES = 256 * 1024
/** Maximum header lines per request; Node drops the rest. */
export const MAX_HEADER_LINES = 1_000
/** Maximum value of a header except `Upload-Concat`, and of all together, in bytes: some are stored with the upload. */
const MAX_VALUE_BYTES = 24 * 1024
const MAX_ALL_VALUES_BYTES = 64 * 1024
/** Maximum request target, in bytes. */
const MAX_TARGET_BYTES = 16 * 1024

/**
 * Refuses requests with an invalid or too large head, and closes the connection.
 *
 * @throws UploadError `bad_request`, `expectation_failed`, `target_too_long`, `header_too_large`.
 */
export const checkHead: Middleware = (ctx, next) => {
  const fault = faultOf(ctx.req) ?? (isExpectationUnknown(ctx.res) ? UNKNOWN_EXPECTATION : undefined)
  if (fault === undefined) return next()
  ctx.set('Connection', 'close')
  throw new UploadError(...fault)
}

type Fault = ConstructorParameters<typeof UploadError>

const UNKNOWN_EXPECTATION: Fault = ['expectation_failed', 'The only supported Expect is 100-continue.']

function faultOf({ rawHeaders, url = '', httpVersion }: IncomingMessage): Fault | undefined {
  if (url.length > MAX_TARGET_BYTES) {
    return ['target_too_long', `The URL exceeds ${MAX_TARGET_BYTES} bytes.`]
  }
  if (rawHeaders.length >= 2 * MAX_HEADER_LINES) {
    return ['header_too_large', `The request has ${MAX_HEADER_LINES} headers or more.`]
  }
  let hosts = 0
  let bytes = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    if (name.length === 13 && name.toLowerCase() === 'upload-concat') continue
    const { length } = rawHeaders[i + 1] ?? ''
    if (length > MAX_VALUE_BYTES) {
      return ['header_too_large', `The header ${name.slice(0, 100)} exceeds ${MAX_VALUE_BYTES} bytes.`]
    }
    bytes += length
  }
  if (bytes > MAX_ALL_VALUES_BYTES) return ['header_too_large', `The headers exceed ${MAX_ALL_VALUES_BYTES} bytes.`]
  // RFC 9112 §3.2
  if (hosts > 1) return ['bad_request', 'The request has more than one Host header.']
  if (hosts === 0 && httpVersion === '1.1') return ['bad_request', 'The request has no Host header.']
  return undefined
}
