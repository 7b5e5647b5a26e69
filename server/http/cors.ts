import type { Middleware } from 'koa'

/** The origins whose pages may read responses; `*` for all. */
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
  'WWW-Authenticate',
  'X-Request-Id',
].join(', ')
/** How long a browser may cache a preflight response, in seconds: Chromium caps it at two hours. */
const MAX_AGE = '7200'

/**
 * The headers that let a page of `origin` read a response (Fetch Standard, section 3.3); none for other pages. Only
 * named origins may send cookies.
 */
export function corsHeaders(allowed: AllowedOrigins, origin: string): Readonly<Record<string, string>> {
  if (origin === '' || !(allowed === '*' || allowed.has(origin))) return {}
  if (allowed === '*') return { 'Access-Control-Allow-Origin': '*' }
  return { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' }
}

/** The response headers that such a page may read. */
export const EXPOSE_HEADERS = { 'Access-Control-Expose-Headers': EXPOSED } as const

/**
 * Cross-origin access. It precedes everything that can fail: without these headers, a page cannot even see the status
 * of a response.
 */
export function cors(allowed: AllowedOrigins): Middleware {
  return (ctx, next) => {
    ctx.set('Vary', 'Origin')
    const headers = corsHeaders(allowed, ctx.get('Origin'))
    if (headers['Access-Control-Allow-Origin'] === undefined) return next()
    ctx.set(headers)
    if (ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method') !== '') {
      ctx.set('Access-Control-Allow-Methods', METHODS)
      const requested = ctx.get('Access-Control-Request-Headers')
      if (requested !== '') ctx.set('Access-Control-Allow-Headers', requested)
      ctx.set('Access-Control-Max-Age', MAX_AGE)
      ctx.vary('Access-Control-Request-Headers')
      ctx.status = 204
      return
    }
    ctx.set(EXPOSE_HEADERS)
    return next()
  }
}
