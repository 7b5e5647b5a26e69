import type { Context, Middleware } from 'koa'
import type { Logger } from 'pino'
import { UploadError } from '../core/errors.ts'
import { drain } from './drain.ts'
import { type Dialect, statusOf } from './error-status.ts'
import { answerJson } from './json.ts'
import { problemOf } from './problem.ts'
import { ACCEPT_PATCH } from './protocol.ts'

/**
 * The one place where errors are answered and logged. Clients get the sentence of an `UploadError`, and nothing of the inside
 * of any other error.
 *
 * @param dialectOf tells how the client wants to be answered.
 */
export function errorExit(log: Logger, dialectOf: (ctx: Context) => Dialect): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (thrown) {
      const error = thrown instanceof UploadError ? thrown : unexpected(thrown)
      const dialect = dialectOf(ctx)
      const status = statusOf(error.code, dialect, ctx.method)
      const facts = { code: error.code, status, method: ctx.method, path: ctx.path, err: error.cause }
      if (status === 500) log.error(facts, error.message)
      else if (error.cause !== undefined && status !== 400) log.warn(facts, error.message)
      else log.debug(facts, error.message)
      ctx.status = status
      // The answer to a HEAD has no body that could say it.
      ctx.set({ 'Cache-Control': 'no-store', 'Upload-Error': error.code })
      // RFC 9110 §12.5.3, RFC 5789 §2.2.
      if (error.code === 'unsupported_coding') ctx.set('Accept-Encoding', 'identity')
      else if (error.code === 'unsupported_type' && ctx.method === 'PATCH') ctx.set('Accept-Patch', ACCEPT_PATCH)
      if (dialect === 'tus') ctx.body = `${error.message}\n`
      else if (dialect !== 'legacy') answerJson(ctx, problemOf(error, status), 'application/problem+json')
      else answerJson(ctx, { ok: false, error: { code: error.code, message: error.message }, ...error.details })
      // A body that was given up in the middle is cut off with its connection.
      const isGivenUp = error.code === 'idle_timeout' || (error.code === 'superseded' && ctx.req.readableDidRead)
      if (isGivenUp) ctx.set('Connection', 'close')
      else drain(ctx)
    }
  }
}

function unexpected(thrown: unknown): UploadError {
  return new UploadError('internal', 'Something went wrong on the server.', { cause: thrown })
}
