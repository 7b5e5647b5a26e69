import type { IncomingMessage } from 'node:http'
import type { Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { isExpectationUnknown } from './expectation.ts'

/**
 * The longest head of a request, in bytes: `Upload-Concat` with 2,000 URLs of 100 characters, 20,000 bytes of cookies, as many of
 * metadata, and 16 KiB of all else make less than this.
 */
export const LONGEST_HEAD = 256 * 1024
/** The most header lines that a request has; Node drops what follows. */
export const MOST_LINES = 1_000
/** The longest value of a header but `Upload-Concat`, and of all of them together, in bytes: some are kept with the upload. */
const LONGEST_VALUE = 24 * 1024
const LONGEST_VALUES = 64 * 1024
/** The longest target of a request, in bytes. */
const LONGEST_TARGET = 16 * 1024

/**
 * Refuses requests whose head is not sound, or larger than what can come of it.
 *
 * @throws UploadError `bad_request`, `expectation_failed`, `target_too_long`, `header_too_large`. Its answer is the last of the connection.
 */
export const soundHead: Middleware = (ctx, next) => {
  const fault = faultOf(ctx.req) ?? (isExpectationUnknown(ctx.res) ? UNKNOWN_EXPECTATION : undefined)
  if (fault === undefined) return next()
  ctx.set('Connection', 'close')
  throw new UploadError(...fault)
}

type Fault = ConstructorParameters<typeof UploadError>

const UNKNOWN_EXPECTATION: Fault = ['expectation_failed', 'Of Expect only 100-continue is known here.']

function faultOf({ rawHeaders, url = '', httpVersion }: IncomingMessage): Fault | undefined {
  if (url.length > LONGEST_TARGET) {
    return ['target_too_long', `The URL has more than ${LONGEST_TARGET} bytes.`]
  }
  if (rawHeaders.length >= 2 * MOST_LINES) {
    return ['header_too_large', `The request has ${MOST_LINES} headers or more.`]
  }
  let hosts = 0
  let bytes = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    if (name.length === 13 && name.toLowerCase() === 'upload-concat') continue
    const { length } = rawHeaders[i + 1] ?? ''
    if (length > LONGEST_VALUE) {
      return ['header_too_large', `The header ${name.slice(0, 100)} has more than ${LONGEST_VALUE} bytes.`]
    }
    bytes += length
  }
  if (bytes > LONGEST_VALUES) return ['header_too_large', `The headers have more than ${LONGEST_VALUES} bytes.`]
  // RFC 9112 §3.2
  if (hosts > 1) return ['bad_request', 'The request has several Host headers.']
  if (hosts === 0 && httpVersion === '1.1') return ['bad_request', 'The request has no Host header.']
  return undefined
}
