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

/** The interop versions that are spoken here. */
const INTEROP_VERSIONS = [5, 6, 8] as const
export type InteropVersion = (typeof INTEROP_VERSIONS)[number]

/**
 * With these versions speaks tus-js-client, which takes an upload for complete as soon as the offset is its length, and does not
 * always say that a request is the last one.
 */
const ENDED_BY_LENGTH: ReadonlySet<InteropVersion | undefined> = new Set([5, 6])

/** Whether a client of this version takes an upload for complete that has all the bytes of its length. */
export function endsByLength(interop: InteropVersion | undefined): boolean {
  return ENDED_BY_LENGTH.has(interop)
}

/** What the headers of a request say that brings representation data. */
export interface Sending {
  readonly interop: InteropVersion | undefined
  /** Whether the representation ends with this request. */
  readonly complete: boolean
  /** Bytes of the whole representation, if the request says it in one way or the other. */
  readonly length: number | undefined
}

export interface DraftCreation extends Sending, ParsedMetadata {
  /** Whether the client will say which request is the last one, whatever the offset is. */
  readonly endAwaited: boolean
  /** Want-Repr-Digest, if something can come of it. */
  readonly wantedDigest: string | undefined
}

export interface DraftAppend extends Sending {
  /** Bytes. */
  readonly offset: number
}

/** The interop version that client and server have in common, if they have one. */
export function interopVersion(headers: IncomingHttpHeaders): InteropVersion | undefined {
  const asked = integer(headers, 'Upload-Draft-Interop-Version')
  return INTEROP_VERSIONS.find((version) => version === asked)
}

/**
 * @throws UploadError `bad_request`, `unsupported_type`, `unsupported_coding` with a sentence that names the header;
 * `wrong_length` when the headers state different lengths, or the body exceeds them.
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
  // Up to interop version 5 the body had no type of its own.
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
  const said = integer(headers, 'Upload-Length')
  const body = contentLength(headers)
  if (body === undefined) return said
  const end = offset + body
  if (said === undefined) return complete ? end : undefined
  if (end === said || (end < said && !complete)) return said
  throw new UploadError('wrong_length', `Upload-Length is ${said} bytes, but this request ends at byte ${end}.`)
}

/** What Upload-Metadata says of the file (tus-js-client), and what the representation's own headers do. */
function metadataIn(headers: IncomingHttpHeaders): ParsedMetadata {
  const { metadata: said, rawMetadata } = parseMetadata(single(headers, 'Upload-Metadata'))
  const type = mediaType(headers)
  // What is malformed says nothing (RFC 6266 §4.1): the parser throws nothing, and passes over it.
  const filename = parseDisposition(single(headers, 'Content-Disposition') ?? '').parameters['filename']
  const digests = parseDigests(single(headers, 'Repr-Digest') ?? '')
  checkSizes(digests)
  const metadata: Metadata = {
    ...(filename !== undefined && { filename }),
    ...(type !== '' && type !== DRAFT_PATCH_TYPE && { filetype: type }),
    ...said,
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
