import { Refusal } from '../../server/core/answer.ts'
import type { ErrorCode, UploadError } from '../../server/core/errors.ts'
import { type ErrorResponse, errorResponse } from '../../server/http/error-response.ts'
import type { Dialect } from './schema.ts'
import { fill, type Template } from './template.ts'

/** Errors after which the same request may succeed; a different chunk 0 begins another upload. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'auth_unavailable',
  'application_unavailable',
  'busy',
  'chunk_not_placed',
  'connection_closed',
  'content_differs',
  'idle_timeout',
  'index_building',
  'internal',
  'moved',
  'no_space',
  'scanning',
  'stopping',
  'storage_error',
  'superseded',
  'too_many_requests',
])

/** Errors whose status says what to do, whatever the library makes of it. */
const OWN_STATUS: ReadonlySet<ErrorCode> = new Set(['cross_site', 'forbidden', 'host_not_allowed', 'unauthenticated'])

/** The response that makes the library do what the error means. */
export function pageError(error: UploadError, method: string, { answer }: Dialect): ErrorResponse {
  const usual = errorResponse(error, 'legacy', method)
  const chosen = templateOf(error.code, answer)
  const { status, type, body } = fill(chosen, { code: error.code, message: error.message, ...error.details })
  const isChosen = OWN_STATUS.has(error.code) || (error instanceof Refusal && error.answer?.status !== undefined)
  return {
    status: isChosen ? usual.status : status,
    headers: { ...usual.headers, ...(type !== undefined && { 'Content-Type': type }) },
    body,
  }
}

function templateOf(code: ErrorCode, { transient, refused, lost }: Dialect['answer']): Template {
  if (TRANSIENT.has(code)) return transient
  return code === 'not_found' ? (lost ?? refused) : refused
}
