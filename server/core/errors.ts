/**
 * Everything that can go wrong in a way that a client is told of. What a code means over HTTP is decided in
 * `http/error-status.ts` alone.
 */
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
  | 'wrong_length'
  | 'too_large'
  | 'unsupported_version'
  | 'unsupported_method'
  | 'precondition_failed'
  | 'range_not_satisfiable'
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
  // the moment
  | 'superseded'
  | 'busy'
  | 'connection_closed'
  | 'idle_timeout'
  | 'no_space'
  | 'storage_error'
  | 'stopping'
  | 'internal'

/** Facts that go with an error into the answer's body. */
export type ErrorDetails = Readonly<Record<string, number | string | readonly number[]>>

/** An error whose message is one sentence for the client: no paths, no stacks; the `cause` is for the log only. */
export class UploadError extends Error {
  override readonly name = 'UploadError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

/** What a request is told whose work cannot be begun, or is ended, because the service stops. */
export function stopping(): UploadError {
  return new UploadError('stopping', 'The service is stopping; go on in a moment.')
}

/** The code of a system error (`ENOENT` and the like), if that is what `error` is. */
export function systemCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
