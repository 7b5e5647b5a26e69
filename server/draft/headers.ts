import type { IncomingHttpHeaders } from 'node:http'
import { parse as parseDisposition } from 'content-disposition'
import { type BareItem, parseItem } from 'structured-headers'
import { checkSizes } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import type { Metadata } from '../core/record.ts'
import { contentLength, mediaType, single } from '../http/header-values.ts'
import { DRAFT_PATCH_TYPE } from '../http/patch-types.ts'
import { refuseCodings } from '../protocol/content-coding.ts'
import { parseDigests, preferredDigest } from '../protocol/digest-fields.ts'
import { type ParsedMetadata, parseMetadata } from '../protocol/upload-metadata.ts'

/** The supported interop versions. */
const INTEROP_VERSIONS = [5, 6, 8] as const
export type InteropVersion = (typeof INTEROP_VERSIONS)[number]

/**
 * tus-js-client uses these versions. It considers an upload complete as soon as the offset equals the length, and does
 * not always mark the last request.
 */
const ENDED_BY_LENGTH: ReadonlySet<InteropVersion | undefined> = new Set([5, 6])

/** Whether clients of this version consider an upload complete when its offset equals its length. */
export function endsByLength(interop: InteropVersion | undefined): boolean {
  return ENDED_BY_LENGTH.has(interop)
}

/** The headers of a request with representation data. */
export interface Sending {
  readonly interop: InteropVersion | undefined
  /** Whether the representation ends with this request. */
  readonly complete: boolean
  /** Bytes of the whole representation, if the request states or implies it. */
  readonly length: number | undefined
}

export interface DraftCreation extends Sending, ParsedMetadata {
  /** Whether the client marks the last request, whatever the offset is. */
  readonly endAwaited: boolean
  /** Want-Repr-Digest, if it names a supported algorithm. */
  readonly wantedDigest: string | undefined
}

export interface DraftAppend extends Sending {
  /** Bytes. */
  readonly offset: number
}

/** The interop version of the client, if it is supported. */
export function interopVersion(headers: IncomingHttpHeaders): InteropVersion | undefined {
  const stated = integer(headers, 'Upload-Draft-Interop-Version')
  return INTEROP_VERSIONS.find((version) => version === stated)
}

/**
 * @throws UploadError `bad_request`, `unsupported_type`, `unsupported_coding`; the message names the header.
 * `wrong_length` if the headers state different lengths, or the body exceeds them.
 */
export function parseCreation(headers: IncomingHttpHeaders): DraftCreation {
  const interop = interopVersion(headers)
  const complete = boolean(headers, 'Upload-Complete')
  if (complete === undefined) throw bad('Upload-Complete must be ?1, or ?0 when more requests will follow.')
  refuseCodings(headers)
  return {
    interop,
    complete,
    length: lengthIn(headers, complete, 0),
    endAwaited: !endsByLength(interop),
    wantedDigest: wantedDigestIn(headers),
    ...metadataIn(headers),
  }
}

/** @throws UploadError like `parseCreation`. */
export function parseAppend(headers: IncomingHttpHeaders): DraftAppend {
  const interop = interopVersion(headers)
  // Up to interop version 5, the draft defined no media type.
  if (interop !== 5 && mediaType(headers) !== DRAFT_PATCH_TYPE) {
    throw new UploadError('unsupported_type', `Content-Type must be ${DRAFT_PATCH_TYPE}.`)
  }
  refuseCodings(headers)
  const offset = integer(headers, 'Upload-Offset')
  if (offset === undefined) throw bad('Upload-Offset must be a whole number of bytes.')
  const complete = boolean(headers, 'Upload-Complete')
  if (complete === undefined && !endsByLength(interop)) throw bad('Upload-Complete must be ?1 or ?0.')
  return { interop, complete: complete ?? false, offset, length: lengthIn(headers, complete ?? false, offset) }
}

/** Length, first way: "the sum of the current offset and the Content-Length", second way: Upload-Length. */
function lengthIn(headers: IncomingHttpHeaders, complete: boolean, offset: number): number | undefined {
  const stated = integer(headers, 'Upload-Length')
  const body = contentLength(headers)
  if (body === undefined) return stated
  const end = offset + body
  if (stated === undefined) return complete ? end : undefined
  if (end === stated || (end < stated && !complete)) return stated
  throw new UploadError('wrong_length', `Upload-Length is ${stated} bytes, but this request ends at byte ${end}.`)
}

/** The metadata from Upload-Metadata (tus-js-client) and from the representation's own headers. */
function metadataIn(headers: IncomingHttpHeaders): ParsedMetadata {
  const { metadata: stated, rawMetadata } = parseMetadata(single(headers, 'Upload-Metadata'))
  const type = mediaType(headers)
  // The parser ignores malformed values (RFC 6266 §4.1).
  const filename = parseDisposition(single(headers, 'Content-Disposition') ?? '').parameters['filename']
  const digests = parseDigests(single(headers, 'Repr-Digest') ?? '')
  checkSizes(digests)
  const metadata: Metadata = {
    ...(filename !== undefined && { filename }),
    ...(type !== '' && type !== DRAFT_PATCH_TYPE && { filetype: type }),
    ...stated,
    ...Object.fromEntries([...digests].map(([algorithm, digest]) => [algorithm, digest.toString('base64')])),
  }
  return { metadata, rawMetadata }
}

function wantedDigestIn(headers: IncomingHttpHeaders): string | undefined {
  const want = single(headers, 'Want-Repr-Digest') ?? ''
  return preferredDigest(want) === undefined ? undefined : want
}

/** "Other values MUST cause the entire header field to be ignored." */
function integer(headers: IncomingHttpHeaders, name: string): number | undefined {
  const text = single(headers, name) ?? ''
  const value = item(text)
  return typeof value === 'number' && value >= 0 && /^ *\d+ *(;|$)/.test(text) ? value : undefined
}

function boolean(headers: IncomingHttpHeaders, name: string): boolean | undefined {
  const value = item(single(headers, name) ?? '')
  return typeof value === 'boolean' ? value : undefined
}

function item(text: string): BareItem | undefined {
  try {
    return text === '' ? undefined : parseItem(text)[0]
  } catch {
    return undefined
  }
}

function bad(message: string): UploadError {
  return new UploadError('bad_request', message)
}
