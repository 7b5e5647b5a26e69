import type { Logger } from 'pino'
import type { UploadError } from '../core/errors.ts'
import { type Dialect, statusOf } from './error-status.ts'
import { problemOf } from './problem.ts'

/** An error as it is sent. */
export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What is answered to a client that speaks `dialect`: the sentence of the error, and nothing of its cause. */
export function errorAnswer(error: UploadError, dialect: Dialect, method: string): ErrorAnswer {
  const status = statusOf(error.code, dialect, method)
  const [type, body] = bodyOf(error, dialect, status)
  // The answer to a HEAD has no body that could say it.
  return { status, headers: { 'Content-Type': type, 'Cache-Control': 'no-store', 'Upload-Error': error.code }, body }
}

function bodyOf(error: UploadError, dialect: Dialect, status: number): [type: string, body: string] {
  if (dialect === 'tus') return ['text/plain; charset=utf-8', `${error.message}\n`]
  if (dialect === 'draft') return ['application/problem+json', JSON.stringify(problemOf(error, status))]
  const { code, message, details } = error
  return ['application/json; charset=utf-8', JSON.stringify({ ok: false, error: { code, message }, ...details })]
}

/** Logs a refusal: what is wrong on this side where operators look, what is wrong with a request for those who search. */
export function logError(
  log: Logger,
  error: UploadError,
  facts: { status: number; method: string; path: string },
): void {
  const { code, cause } = error
  const all = { code, ...facts, err: cause }
  if (facts.status === 500) log.error(all, error.message)
  else if (cause !== undefined && facts.status !== 400) log.warn(all, error.message)
  else log.debug(all, error.message)
}
