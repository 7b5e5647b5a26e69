import { STATUS_CODES } from 'node:http'
import type { ErrorCode, UploadError } from '../core/errors.ts'

const REGISTRY = 'https://iana.org/assignments/http-problem-types#'

interface Type {
  readonly type: string
  readonly title: string
}

const INCONSISTENT: Type = { type: 'inconsistent-upload-length', title: 'Inconsistent Upload Length Values' }

/** The problem types that the draft and its references register. */
const types: Readonly<Partial<Record<ErrorCode, Type>>> = {
  offset_mismatch: { type: 'mismatching-upload-offset', title: 'Mismatching Upload Offset' },
  length_known: INCONSISTENT,
  wrong_length: INCONSISTENT,
  already_complete: { type: 'completed-upload', title: 'Upload Is Completed' },
  // draft-ietf-httpapi-digest-fields-problem-types
  checksum_mismatch: { type: 'digest-mismatching-values', title: 'Mismatching Digest Values' },
  digest_mismatch: { type: 'digest-mismatching-values', title: 'Mismatching Digest Values' },
}

/** An error as problem details (RFC 9457), with the members that its type defines. */
export function problemOf({ code, message, details }: UploadError, status: number): Readonly<Record<string, unknown>> {
  const known = types[code]
  return {
    type: known === undefined ? 'about:blank' : `${REGISTRY}${known.type}`,
    title: known?.title ?? STATUS_CODES[status],
    status,
    detail: message,
    code,
    ...(details !== undefined &&
      'provided' in details && { 'expected-offset': details.offset, 'provided-offset': details.provided }),
    ...(details !== undefined && 'progress' in details && { progress: details.progress }),
  }
}
