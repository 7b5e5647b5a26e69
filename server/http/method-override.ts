import type { Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'

/** What a POST may stand for: what a client needs whose network lets nothing but GET and POST pass. */
const METHODS: ReadonlySet<string> = new Set(['HEAD', 'PATCH', 'DELETE'])

/**
 * Interprets `X-HTTP-Method-Override` as the request's method (tus core protocol). Only a POST can stand for another method: a
 * GET, which a page of any origin can cause, must never delete anything.
 */
export const methodOverride: Middleware = (ctx, next) => {
  const asked = ctx.get('X-HTTP-Method-Override').toUpperCase()
  if (asked === '' || asked === ctx.method) return next()
  if (ctx.method !== 'POST' || !METHODS.has(asked)) {
    throw new UploadError('unsupported_method', 'X-HTTP-Method-Override can make HEAD, PATCH, or DELETE of a POST.')
  }
  ctx.method = asked
  // Koa takes the method from the request, and the answer to a POST that stands for a HEAD has no body, either.
  return next()
}
