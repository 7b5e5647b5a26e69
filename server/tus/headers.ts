import type { IncomingHttpHeaders } from 'node:http'
import { UploadError } from '../core/errors.ts'
import { contentLength, mediaType, single, wholeNumber } from '../http/header-values.ts'
import { TUS_PATCH_TYPE } from '../http/patch-types.ts'
import { refuseCodings } from '../protocol/content-coding.ts'
import { type ParsedMetadata, parseMetadata } from '../protocol/upload-metadata.ts'

export const TUS_VERSION = '1.0.0'

/** The headers of a POST that creates an upload. */
export interface Creation extends ParsedMetadata {
  /** Bytes; `null` if the client will send it later. */
  readonly length: number | null
  /** Whether the upload is a part of a later final upload (concatenation). */
  readonly partial: boolean
  /** Whether the body contains the first bytes (creation-with-upload). */
  readonly withBody: boolean
}

/** The headers of a POST that creates a final upload (concatenation). */
export interface FinalCreation extends ParsedMetadata {
  /** The parts' URLs, in order. */
  readonly parts: readonly string[]
  /** Upload-Concat as sent. */
  readonly concat: string
}

/** The headers of a PATCH. */
export interface Append {
  /** Bytes. */
  readonly offset: number
  /** Bytes; only if the client sends the deferred length (creation-defer-length). */
  readonly length: number | undefined
}

/** @throws UploadError `bad_request`, `unsupported_coding`; the message names the header. */
export function parseCreation(headers: IncomingHttpHeaders): Creation | FinalCreation {
  const concat = single(headers, 'Upload-Concat')
  if (concat?.startsWith('final;')) return parseFinalCreation(headers, concat)
  if (concat !== undefined && concat !== 'partial') {
    throw bad('Upload-Concat must be "partial", or "final;" followed by the URLs of the parts.')
  }
  const length = wholeNumber(headers, 'Upload-Length')
  const deferred = single(headers, 'Upload-Defer-Length')
  // Creation: "The Client MUST send either Upload-Length or Upload-Defer-Length: 1."
  if (deferred !== undefined && deferred !== '1') throw bad('Upload-Defer-Length must be 1.')
  if ((length === undefined) === (deferred === undefined)) {
    throw bad('Send either Upload-Length or Upload-Defer-Length: 1.')
  }
  const withBody = mediaType(headers) === TUS_PATCH_TYPE
  if (withBody) refuseCodings(headers)
  return {
    length: length ?? null,
    ...parseMetadata(single(headers, 'Upload-Metadata')),
    partial: concat === 'partial',
    withBody,
  }
}

function parseFinalCreation(headers: IncomingHttpHeaders, concat: string): FinalCreation {
  // Concatenation: "The Client MUST NOT include the Upload-Length header in the final upload creation." A body would be
  // a PATCH against the final upload, which is forbidden, too.
  for (const name of ['Upload-Length', 'Upload-Defer-Length']) {
    if (single(headers, name) !== undefined) throw bad(`A final upload must not have ${name}.`)
  }
  if ((contentLength(headers) ?? 0) > 0) throw bad('A final upload must not have a body.')
  const parts = concat.slice('final;'.length).trim().split(/ +/)
  return { parts, concat, ...parseMetadata(single(headers, 'Upload-Metadata')) }
}

/** @throws UploadError `unsupported_type`, `unsupported_coding`, `bad_request`; the message names the header. */
export function parseAppend(headers: IncomingHttpHeaders): Append {
  // Core protocol, PATCH: other types get 415 Unsupported Media Type.
  if (mediaType(headers) !== TUS_PATCH_TYPE)
    throw new UploadError('unsupported_type', `Content-Type must be ${TUS_PATCH_TYPE}.`)
  refuseCodings(headers)
  const offset = wholeNumber(headers, 'Upload-Offset')
  if (offset === undefined) throw bad('Upload-Offset is missing.')
  return { offset, length: wholeNumber(headers, 'Upload-Length') }
}

function bad(message: string): UploadError {
  return new UploadError('bad_request', message)
}
