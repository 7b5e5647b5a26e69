import type { Middleware } from 'koa'

/**
 * Converts every target to origin-form (RFC 9112 §3.2), a path: an absolute URL loses its scheme and host. Other
 * targets become `*`, which has no route.
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
