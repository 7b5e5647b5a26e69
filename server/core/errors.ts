/** Every error that a client can receive. `http/error-status.ts` alone maps codes to HTTP statuses. */
export type ErrorCode =
  // the request
  | 'bad_request'
  | 'bad_field'
  | 'missing_field'
  | 'duplicate_field'
  | 'field_too_large'
  | 'too_many_fields'
  | 'field_after_file'
  | 'no_file'
  | 'several_files'
  | 'malformed_body'
  | 'unsupported_type'
  | 'unsupported_coding'
  | 'wrong_length'
  | 'too_large'
  | 'unsupported_version'
  | 'unsupported_method'
  | 'precondition_failed'
  | 'range_not_satisfiable'
  | 'host_not_allowed'
  | 'expectation_failed'
  | 'target_too_long'
  | 'header_too_large'
  | 'metadata_too_large'
  | 'type_not_allowed'
  // the caller
  | 'unauthenticated'
  | 'forbidden'
  | 'cross_site'
  | 'quota_exceeded'
  | 'too_many_requests'
  // the upload
  | 'not_found'
  | 'gone'
  | 'offset_mismatch'
  | 'length_known'
  | 'already_complete'
  | 'content_differs'
  | 'checksum_mismatch'
  | 'digest_mismatch'
  | 'final_upload'
  | 'part_taken'
  | 'part_gone'
  | 'chunk_size_changed'
  | 'chunk_not_placed'
  | 'wrongly_skipped'
  | 'incomplete'
  | 'ambiguous'
  | 'sync_failed'
  | 'scanning'
  | 'rejected'
  | 'refused'
  | 'wrong_state'
  // the moment
  | 'superseded'
  | 'busy'
  | 'moved'
  | 'connection_closed'
  | 'idle_timeout'
  | 'no_space'
  | 'storage_error'
  | 'auth_unavailable'
  | 'application_unavailable'
  | 'body_already_read'
  | 'index_building'
  | 'stopping'
  | 'internal'

/** Facts for the response body, by code. A code without an entry has none. */
interface ErrorDetails {
  /** `offset` is where the upload continues, `provided` is what the client sent; both in bytes. */
  readonly offset_mismatch: { readonly offset: number; readonly provided: number }
  /** Missing chunks, counted from 0: the first ones by index, and how many there are in all. */
  readonly incomplete: { readonly missing: readonly number[]; readonly missing_total: number }
  /** Seconds. */
  readonly too_many_requests: { readonly retry_after: number }
  /** From 0 to 1; `null` if it is not known. `retry_after` is in seconds. */
  readonly index_building: { readonly progress: number | null; readonly retry_after: number }
}

type Detailed = keyof ErrorDetails

type Arguments =
  | { [C in Detailed]: [code: C, message: string, options: { details: ErrorDetails[C]; cause?: unknown }] }[Detailed]
  | [code: Exclude<ErrorCode, Detailed>, message: string, options?: { details?: undefined; cause?: unknown }]

/** An error whose message is one sentence for the client: no paths, no stacks; the `cause` is for the log only. */
export class UploadError extends Error {
  override readonly name = 'UploadError'
  readonly code: ErrorCode
  readonly details: ErrorDetails[Detailed] | undefined

  constructor(...[code, message, { details, cause } = {}]: Arguments) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details
  }
}

/** The error of a request that cannot begin, or is interrupted, because the service stops. */
export function stopping(): UploadError {
  return new UploadError('stopping', 'The service is stopping; try again in a moment.')
}

/** The error of an object that must not be used any more: another node has opened the upload, or may have. */
export function moved(): UploadError {
  return new UploadError('moved', 'This upload continues in a moment; try again.')
}

/** The error of bytes that another upload cannot have. */
export function notShared(): UploadError {
  return new UploadError('not_found', 'There is no such file any more.')
}

/** The code of a system error (`ENOENT` and the like), if that is what `error` is. */
export function systemCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
