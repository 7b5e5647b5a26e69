import type { Middleware } from 'koa'

/**
 * Brings every target into the form of a path, which all that follow can read (RFC 9112 §3.2): an absolute URL loses its scheme
 * and host, and what is none becomes `*`, where nothing is.
 */
export const originForm: Middleware = (ctx, next) => {
  if (!ctx.url.startsWith('/')) ctx.url = pathOf(ctx.url)
  return next()
}

function pathOf(target: string): string {
  if (!URL.canParse(target)) return '*'
  const { pathname, search } = new URL(target)
  return pathname.startsWith('/') ? pathname + search : '*'
}
