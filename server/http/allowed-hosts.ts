import type { Context, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { cameThroughProxy, type TrustProxy } from './forwarded.ts'
import { authorityOf, isOwnHost, parseAuthority } from './host.ts'
import { HEALTH_PATH } from './paths.ts'

/** Host names that requests may use, in addition to local ones; `*` for all. */
export type AllowedHosts = '*' | ReadonlySet<string>

/**
 * The host names of this service: the allowed ones, that of HOST, and those of its URLs.
 *
 * @param urls PUBLIC_URL and DOWNLOAD_URL; empty if unset.
 */
export function namesOf(allowed: AllowedHosts, listensOn: string, urls: readonly string[]): ReadonlySet<string> {
  const names = new Set(allowed === '*' ? [] : allowed)
  for (const text of [listensOn, ...urls.map((url) => (url === '' ? '' : new URL(url).hostname))]) {
    const host = parseAuthority(text)?.host
    if (host !== undefined) names.add(host)
  }
  return names
}

/**
 * Refuses requests that name the host of another site. Without authentication, a page of that site could do everything
 * that a visitor can, once its name resolves to this service. Requests through a trusted proxy are not checked: the
 * proxy chooses its hosts. Health checks may use any host.
 *
 * @throws UploadError `bad_request` for an invalid host, `host_not_allowed`.
 */
export function checkHost(allowed: AllowedHosts, names: ReadonlySet<string>, trust: TrustProxy): Middleware {
  // Nearly all requests name the same host: it is parsed once.
  let accepted: string | undefined
  return (ctx, next) => {
    const { host } = ctx.headers
    const isOrigin = ctx.originalUrl.startsWith('/')
    if (isOrigin && host !== undefined && host === accepted) return next()
    const authority = authorityOf(ctx)
    if (authority === undefined) {
      ctx.set('Connection', 'close')
      throw new UploadError(
        'bad_request',
        'The host of the request must be a name or an address, with an optional port.',
      )
    }
    const isFree = allowed === '*' || authority === 'none' || isOwnHost(authority.host, names)
    if (isFree && isOrigin) accepted = host
    if (isFree || HEALTH_PATH.test(ctx.path) || cameThroughProxy(ctx.req, trust)) return next()
    throw new UploadError(
      'host_not_allowed',
      `This service does not accept the host ${authority.host}. Its operator can add it to the setting ALLOWED_HOSTS.`,
    )
  }
}

/** Headers of browsers, and of proxies, which may have rewritten Host. */
const INDIRECT = /^(origin|referer|forwarded|via|x-forwarded-.*|x-real-ip)$/i

/**
 * `http://host:port` as the client wrote it. `undefined` if the host may not be that of this service, or the client may
 * use another URL.
 *
 * @param names the host names of this service, which are fewer than the accepted ones.
 */
export function originOf(ctx: Context, names: ReadonlySet<string>): string | undefined {
  const authority = authorityOf(ctx)
  if (authority === undefined || authority === 'none' || !isOwnHost(authority.host, names)) return undefined
  if (ctx.req.rawHeaders.some((name, i) => i % 2 === 0 && INDIRECT.test(name))) return undefined
  return `http://${authority.host}${authority.port === '' ? '' : `:${authority.port}`}`
}
