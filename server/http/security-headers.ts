import type { Middleware } from 'koa'
import { MODULE_PATH } from './paths.ts'

/**
 * For responses that are no page: nothing in them loads or runs, and no foreign page frames them. Pages and files
 * replace the policy with their own.
 */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'self'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
} as const

/** What pages embed: files, the scripts and styles of the pages, which old pages load, too, and the scripts for them. */
const EMBEDDED = /^\/(?:(?:files|assets|static)\/|landfall-[a-z]+\.js$)/

/**
 * Sets the security headers of all responses.
 *
 * @param embeddable whether pages of other origins may embed files. Requests of plain `<img>` and `<video>` have no
 * Origin, so single pages cannot be recognized: it is all or none. Reading the bytes still requires CORS.
 */
export function securityHeaders(embeddable: boolean): Middleware {
  const headers = Object.entries(SECURITY_HEADERS)
  return (ctx, next) => {
    for (const [name, value] of headers) ctx.res.setHeader(name, value)
    const isEmbedded = embeddable && (EMBEDDED.test(ctx.path) || MODULE_PATH.test(ctx.path))
    if (isEmbedded) ctx.res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin')
    return next()
  }
}
