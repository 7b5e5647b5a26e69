import type { Context, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'

/** The methods that a POST may override, for clients that can send only GET and POST. */
const METHODS: ReadonlySet<string> = new Set(['OPTIONS', 'HEAD', 'PATCH', 'DELETE'])

/**
 * Interprets `X-HTTP-Method-Override` as the request's method (tus core protocol). Only a POST can override its method:
 * a GET, which a page of any origin can cause, must never delete anything.
 */
export const methodOverride: Middleware = (ctx, next) => {
  const override = ctx.get('X-HTTP-Method-Override').toUpperCase()
  if (override === '' || override === ctx.method) return next()
  if (ctx.method !== 'POST' || !METHODS.has(override)) {
    throw new UploadError(
      'unsupported_method',
      'X-HTTP-Method-Override can turn a POST into OPTIONS, HEAD, PATCH, or DELETE.',
    )
  }
  ctx.method = override
  return next()
}

/**
 * Ends the response to a POST that overrides its method with HEAD: the client would wait for `Content-Length` bytes,
 * and none follow. It precedes the error exit, so it covers error responses, too.
 */
export const overriddenHead: Middleware = (ctx, next) =>
  ctx.get('X-HTTP-Method-Override') === '' ? next() : endedAsHead(ctx, next)

async function endedAsHead(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  const { method } = ctx
  await next()
  if (ctx.method !== 'HEAD' || method === 'HEAD') return
  ctx.respond = false
  // RFC 9110 §8.6: no Content-Length with 204.
  if (ctx.status !== 204 && ctx.status !== 304) ctx.res.setHeader('Content-Length', '0')
  ctx.res.end()
}
