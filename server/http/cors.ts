import type { Middleware } from 'koa'

/** Which pages of other origins may read the answers: their origins, or all of them. */
export type AllowedOrigins = '*' | ReadonlySet<string>

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
const EXPOSED = [
  'Location',
  'Accept-Patch',
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Repr-Digest',
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Checksum-Algorithm',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Defer-Length',
  'Upload-Metadata',
  'Upload-Concat',
  'Upload-Expires',
  'Upload-Error',
  'Upload-Complete',
  'Upload-Limit',
  'Upload-Draft-Interop-Version',
].join(', ')
/** For how long a browser need not ask again, in seconds: Chromium takes no more than two hours. */
const MAX_AGE = '7200'

/**
 * Cross-origin access (Fetch Standard, section 3.3). It stands before everything that can fail, because a page cannot even
 * see the status of an answer without these headers. Cookies are allowed only for origins that are named.
 */
export function cors(allowed: AllowedOrigins): Middleware {
  return async (ctx, next) => {
    ctx.set('Vary', 'Origin')
    const origin = ctx.get('Origin')
    if (origin === '' || !(allowed === '*' || allowed.has(origin))) return next()
    ctx.set('Access-Control-Allow-Origin', allowed === '*' ? '*' : origin)
    if (allowed !== '*') ctx.set('Access-Control-Allow-Credentials', 'true')
    if (ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method') !== '') {
      ctx.set('Access-Control-Allow-Methods', METHODS)
      const headers = ctx.get('Access-Control-Request-Headers')
      if (headers !== '') ctx.set('Access-Control-Allow-Headers', headers)
      ctx.set('Access-Control-Max-Age', MAX_AGE)
      ctx.vary('Access-Control-Request-Headers')
      ctx.status = 204
      return
    }
    ctx.set('Access-Control-Expose-Headers', EXPOSED)
    await next()
  }
}
