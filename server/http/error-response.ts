import type { Logger } from 'pino'
import { type Answer, asciiJson, Refusal } from '../core/answer.ts'
import type { UploadError } from '../core/errors.ts'
import { answerHeaders } from './application-answer.ts'
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
  const answer = error instanceof Refusal ? error.answer : undefined
  const usual = statusOf(error.code, dialect, method)
  const status = method === 'HEAD' ? usual : (refusalStatus(answer) ?? usual)
  const [type, body] = bodyOf(error, dialect, status, answer)
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
    ...(answer !== undefined && answerHeaders(answer)),
    ...(answer?.result !== undefined && { 'Upload-Result': asciiJson(answer.result) }),
    ...(error.code === 'unsupported_type' && method === 'PATCH' && { 'Accept-Patch': ACCEPT_PATCH }),
  }
  return { status, headers, body }
}

/** The status that an application has chosen for its refusal, if it is one of an error. */
function refusalStatus(answer: Answer | undefined): number | undefined {
  const { status = 0 } = answer ?? {}
  return status >= 400 && status < 600 ? status : undefined
}

function bodyOf(
  error: UploadError,
  dialect: Dialect,
  status: number,
  answer: Answer | undefined,
): [type: string, body: string] {
  if (answer?.body !== undefined && dialect !== 'legacy') return ['text/plain; charset=utf-8', answer.body]
  if (dialect === 'tus') return ['text/plain; charset=utf-8', `${error.message}\n`]
  if (dialect !== 'legacy') return ['application/problem+json', JSON.stringify(problemOf(error, status))]
  const { code, message, details } = error
  return [
    'application/json; charset=utf-8',
    JSON.stringify({ ok: false, error: { code, message }, ...details, result: answer?.result }),
  ]
}

/** Logs an error response: server faults where operators look, client faults at the debug level. */
export function logError(
  log: Logger,
  error: UploadError,
  facts: { status: number; method: string; path: string; request?: string | undefined; upload?: string | undefined },
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
