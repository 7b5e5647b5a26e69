import type { Context, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import type { AllowedOrigins } from './cors.ts'
import { FILE_PATH, HEALTH_PATH, MODULE_PATH } from './paths.ts'
import { isSameOrigin, type Reach } from './same-origin.ts'

/** The pages, their parts, and the scripts for pages of others. */
const PAGES = /^\/(?:(?:legacy|upload\/accept)\/?)?$|^\/(?:assets|static)\/|^\/landfall-[a-z]+\.js$/

/**
 * Refuses requests of foreign pages, except those that only show something. A browser sends them with the address and
 * the cookies of its visitor, and without asking first: forms, `sendBeacon`, and elements such as `<object>`, whose
 * events reveal whether a resource exists. It precedes the override of methods: such a POST is refused as a POST.
 *
 * @throws UploadError `cross_site`.
 */
export function refuseForeignPages(allowed: AllowedOrigins, reach: Reach): Middleware {
  return (ctx, next) => {
    if (isSameOrigin(ctx, reach) || onlyShows(ctx) || isAllowed(ctx, allowed)) return next()
    throw new UploadError(
      'cross_site',
      'This request comes from a page of another origin. The operator of this service can allow that origin in ALLOWED_ORIGINS. Behind a proxy, the pages of the service itself may need PUBLIC_URL.',
    )
  }
}

/** Whether a request has no effect, and asks nothing about an upload. Any page may link to a file. */
function onlyShows({ method, path }: Context): boolean {
  if (method === 'OPTIONS' || (method === 'GET' && FILE_PATH.test(path))) return true
  return (method === 'GET' || method === 'HEAD') && [PAGES, MODULE_PATH, HEALTH_PATH].some((each) => each.test(path))
}

/**
 * Whether the origin of the page is allowed. `Origin` is absent from requests of elements, so these never are. If all
 * origins are allowed, cookies are not: browsers send them with such a request only if a page demands it, and would not
 * let it read the response.
 */
function isAllowed(ctx: Context, allowed: AllowedOrigins): boolean {
  return allowed === '*' ? ctx.headers.cookie === undefined : allowed.has(ctx.get('Origin'))
}
