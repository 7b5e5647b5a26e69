import type { Middleware } from 'koa'

/**
 * Converts every target to origin-form (RFC 9112 §3.2), a path: an absolute URL loses its scheme and host. Other
 * targets become `*`, which has no route.
 */
export const originForm: Middleware = (ctx, next) => {
  ctx.url = originFormOf(ctx.url)
  return next()
}

/** A target in origin-form. */
export function originFormOf(target: string): string {
  if (target.startsWith('/')) return target
  if (!URL.canParse(target)) return '*'
  const { pathname, search } = new URL(target)
  return pathname.startsWith('/') ? pathname + search : '*'
}
