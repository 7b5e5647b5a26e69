import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../core/errors.ts'

/** The value of a header, its lines joined; `undefined` when it did not come. */
export function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

/** @throws UploadError `bad_request` when the header is there and no whole number. */
export function wholeNumber(headers: IncomingHttpHeaders, name: string): number | undefined {
  const text = single(headers, name)
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw new UploadError('bad_request', `${name} must be a whole number of bytes.`)
  return number
}

/** How long the body is, in bytes; `undefined` when it comes in chunks of transfer coding. @throws UploadError `bad_request`. */
export function contentLength(headers: IncomingHttpHeaders): number | undefined {
  return wholeNumber(headers, 'Content-Length')
}

/** Content-Type without its parameters, in lower case; empty when it did not come. */
export function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}
