import type { Logger } from 'pino'
import type { UploadError } from '../core/errors.ts'
import { type Dialect, statusOf } from './error-status.ts'
import { ACCEPT_PATCH } from './patch-types.ts'
import { problemOf } from './problem.ts'

/** An error response. */
export interface ErrorResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The response to a client that speaks `dialect`: the message of the error, and nothing of its cause. */
export function errorResponse(error: UploadError, dialect: Dialect, method: string): ErrorResponse {
  const status = statusOf(error.code, dialect, method)
  const [type, body] = bodyOf(error, dialect, status)
  const headers = {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    // The response to a HEAD has no body to hold it.
    'Upload-Error': error.code,
    // RFC 9110 §12.5.3, RFC 5789 §2.2.
    ...(error.code === 'unsupported_coding' && { 'Accept-Encoding': 'identity' }),
    // RFC 6585 §4.
    ...(error.details !== undefined &&
      'retry_after' in error.details && {
        'Retry-After': String(error.details.retry_after),
      }),
    ...(error.code === 'unsupported_type' && method === 'PATCH' && { 'Accept-Patch': ACCEPT_PATCH }),
  }
  return { status, headers, body }
}

function bodyOf(error: UploadError, dialect: Dialect, status: number): [type: string, body: string] {
  if (dialect === 'tus') return ['text/plain; charset=utf-8', `${error.message}\n`]
  if (dialect !== 'legacy') return ['application/problem+json', JSON.stringify(problemOf(error, status))]
  const { code, message, details } = error
  return ['application/json; charset=utf-8', JSON.stringify({ ok: false, error: { code, message }, ...details })]
}

/** Logs an error response: server faults where operators look, client faults at the debug level. */
export function logError(
  log: Logger,
  error: UploadError,
  facts: { status: number; method: string; path: string },
): void {
  const { code, cause } = error
  const all = { code, ...facts, path: withoutLink(facts.path), err: cause }
  if (facts.status === 500) log.error(all, error.message)
  else if (cause !== undefined && facts.status !== 400) log.warn(all, error.message)
  else log.debug(all, error.message)
}

/** The name in a signed link is a secret. */
function withoutLink(path: string): string {
  return path.replace(/\/(?:~|%7e)[^/]*/i, '/~')
}
