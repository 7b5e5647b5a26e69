import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../core/errors.ts'

/** The value of a header, its lines joined; `undefined` if absent. */
export function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

/** A header that is a number of bytes; `undefined` if absent. @throws UploadError `bad_request` if it is malformed. */
export function wholeNumber(headers: IncomingHttpHeaders, name: string): number | undefined {
  const text = single(headers, name)
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw new UploadError('bad_request', `${name} must be a whole number of bytes.`)
  return number
}

/** The length of the body in bytes; `undefined` if it is chunked. @throws UploadError `bad_request`. */
export function contentLength(headers: IncomingHttpHeaders): number | undefined {
  return wholeNumber(headers, 'Content-Length')
}

/** Content-Type without its parameters, in lower case; empty if absent. */
export function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}
