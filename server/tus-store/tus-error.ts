import { ERRORS } from '@tus/utils'
import { type ErrorCode, UploadError } from '../core/errors.ts'
import { statusOf } from '../http/error-status.ts'

/** An error as @tus/server expects it. Its `cause` is for the log only. */
export class TusError extends Error {
  override readonly name = 'TusError'
  /** The HTTP status. */
  readonly status_code: number
  /** The body of the response. */
  readonly body: string

  constructor(status: number, sentence: string, cause?: unknown) {
    super(sentence, { cause })
    this.status_code = status
    this.body = `${sentence}\n`
  }
}

/** Those that @tus/server itself throws for the same reason: applications compare them. */
const KNOWN: Readonly<Partial<Record<ErrorCode, TusFailure>>> = {
  not_found: ERRORS.FILE_NOT_FOUND,
  gone: ERRORS.FILE_NO_LONGER_EXISTS,
  offset_mismatch: ERRORS.INVALID_OFFSET,
}

/** What @tus/server needs of an error. */
type TusFailure = Pick<TusError, 'status_code' | 'body'>

/** @param isLookup whether a HEAD may receive the error: it decides whether the client restarts the file at 0. */
export function tusError(error: unknown, isLookup: boolean): TusFailure {
  if (error instanceof TusError) return error
  if (!(error instanceof UploadError)) return new TusError(500, 'Internal server error.', error)
  const status = statusOf(error.code, 'tus', isLookup ? 'HEAD' : 'PATCH')
  const known = status === 404 ? ERRORS.FILE_NOT_FOUND : KNOWN[error.code]
  return known ?? new TusError(status, error.message, error)
}
