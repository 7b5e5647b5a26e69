import type { IncomingHttpHeaders } from 'node:http'
import { Metadata as TusMetadata } from '@tus/utils'
import { UploadError } from '../core/errors.ts'
import type { Metadata } from '../core/record.ts'

export const TUS_VERSION = '1.0.0'
export const PATCH_TYPE = 'application/offset+octet-stream'

/** What the headers of a creating POST say. */
export interface Creation {
  /** Bytes; `null` when the client will say it later. */
  readonly length: number | null
  readonly metadata: Metadata
  /** Whether the body has the first bytes (creation-with-upload). */
  readonly withBody: boolean
}

/** What the headers of a PATCH say. */
export interface Append {
  /** Bytes. */
  readonly offset: number
  /** Bytes; only when the client says the length now (creation-defer-length). */
  readonly length: number | undefined
}

/** @throws UploadError `bad_request` with a sentence that names the header. */
export function parseCreation(headers: IncomingHttpHeaders): Creation {
  const length = wholeNumber(headers, 'Upload-Length')
  const deferred = single(headers, 'Upload-Defer-Length')
  // Creation: "The Client MUST send either Upload-Length or Upload-Defer-Length: 1."
  if (deferred !== undefined && deferred !== '1') throw bad('Upload-Defer-Length can only be 1.')
  if ((length === undefined) === (deferred === undefined)) {
    throw bad('Either Upload-Length or Upload-Defer-Length: 1 must be sent.')
  }
  if (single(headers, 'Upload-Concat') !== undefined) throw bad('Upload-Concat is not supported.')
  return {
    length: length ?? null,
    metadata: parseMetadata(single(headers, 'Upload-Metadata')),
    withBody: mediaType(headers) === PATCH_TYPE,
  }
}

/** @throws UploadError `unsupported_type`, `bad_request` with a sentence that names the header. */
export function parseAppend(headers: IncomingHttpHeaders): Append {
  // Core protocol, PATCH: other types get 415 Unsupported Media Type.
  if (mediaType(headers) !== PATCH_TYPE)
    throw new UploadError('unsupported_type', `Content-Type must be ${PATCH_TYPE}.`)
  const offset = wholeNumber(headers, 'Upload-Offset')
  if (offset === undefined) throw bad('Upload-Offset is missing.')
  return { offset, length: wholeNumber(headers, 'Upload-Length') }
}

/** How long the body is, in bytes; `undefined` when it comes in chunks of transfer coding. */
export function contentLength(headers: IncomingHttpHeaders): number | undefined {
  return wholeNumber(headers, 'Content-Length')
}

/** @throws UploadError `bad_request` when it is not what the creation extension describes. */
function parseMetadata(header: string | undefined): Metadata {
  if (header === undefined || header.trim() === '') return {}
  try {
    return TusMetadata.parse(header)
  } catch (error) {
    throw new UploadError('bad_request', 'Upload-Metadata must be keys with values in base64, separated by commas.', {
      cause: error,
    })
  }
}

/** Upload-Metadata as it is sent in the answer to a HEAD. */
export function formatMetadata(metadata: Metadata): string {
  return TusMetadata.stringify(metadata)
}

function wholeNumber(headers: IncomingHttpHeaders, name: string): number | undefined {
  const text = single(headers, name)
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw bad(`${name} must be a whole number of bytes.`)
  return number
}

function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

function bad(message: string): UploadError {
  return new UploadError('bad_request', message)
}
