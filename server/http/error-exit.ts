import type { Context, Middleware } from 'koa'
import type { Logger } from 'pino'
import { UploadError } from '../core/errors.ts'
import { discardBody } from './discard-body.ts'
import { type ErrorResponse, errorResponse, logError } from './error-response.ts'
import type { Dialect } from './error-status.ts'
import { traceOf } from './trace.ts'

/**
 * The one place that logs the errors of requests and responds to them. Clients receive the message of an `UploadError`,
 * and no details of any other error.
 *
 * @param dialectOf how the client expects errors.
 * @param responseFor the response of a dialect of another library; `undefined` for all other requests.
 */
export function errorExit(
  log: Logger,
  dialectOf: (ctx: Context) => Dialect,
  responseFor?: (ctx: Context, error: UploadError) => ErrorResponse | undefined,
): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (thrown) {
      const error = thrown instanceof UploadError ? thrown : unexpected(thrown)
      const response = responseFor?.(ctx, error) ?? errorResponse(error, dialectOf(ctx), ctx.method)
      const { status, headers, body } = response
      const trace = traceOf(ctx.req)
      const facts = { status, method: ctx.method, path: ctx.path }
      logError(log, error, { ...facts, request: trace?.id, upload: trace?.upload })
      if (trace !== undefined) trace.code = error.code
      ctx.status = status
      ctx.set(headers)
      ctx.body = body
      // A body that was abandoned midway ends with its connection.
      const isAborted = error.code === 'idle_timeout' || (error.code === 'superseded' && ctx.req.readableDidRead)
      if (isAborted) ctx.set('Connection', 'close')
      else discardBody(ctx)
    }
  }
}

function unexpected(thrown: unknown): UploadError {
  return new UploadError('internal', 'Internal server error.', { cause: thrown })
}
