import type { Context, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { cameThroughProxy, type TrustProxy } from './forwarded.ts'
import { authorityOf, isOwnHost, parseAuthority } from './host.ts'

/** Hosts, beside those that no other site can have, that requests may be for: their names, or all. */
export type AllowedHosts = '*' | ReadonlySet<string>

/** Asked by those who watch the service, under whatever name they know. They begin nothing and say nothing of uploads. */
const HEALTH = /^\/(healthz|readyz)\/?$/

/** The names under which this service is known: those that are allowed, that on which it listens, and that of its URL. */
export function namesOf(allowed: AllowedHosts, listensOn: string, publicUrl: string): ReadonlySet<string> {
  const names = new Set(allowed === '*' ? [] : allowed)
  for (const text of [listensOn, publicUrl === '' ? '' : new URL(publicUrl).hostname]) {
    const host = parseAuthority(text)?.host
    if (host !== undefined) names.add(host)
  }
  return names
}

/**
 * Refuses requests for the host of another site. Without authentication a page of that site could do all that a visitor of this
 * service can, once its name leads here. What a trusted proxy passes on is for the host that the proxy serves.
 *
 * @throws UploadError `bad_request` for what is no host, `host_not_allowed`.
 */
export function checkHost(allowed: AllowedHosts, names: ReadonlySet<string>, trust: TrustProxy): Middleware {
  return (ctx, next) => {
    const authority = authorityOf(ctx)
    if (authority === undefined) {
      ctx.set('Connection', 'close')
      throw new UploadError(
        'bad_request',
        'The host of the request must be a name or an address, with a port or without.',
      )
    }
    const isFree = allowed === '*' || authority === 'none' || isOwnHost(authority.host, names)
    if (isFree || HEALTH.test(ctx.path) || cameThroughProxy(ctx.req, trust)) return next()
    throw new UploadError(
      'host_not_allowed',
      `Requests for the host ${authority.host} are not answered. Its operator can add it to the setting ALLOWED_HOSTS.`,
    )
  }
}

/** What a browser sends, or a proxy, which may have rewritten Host. */
const INDIRECT = /^(origin|referer|forwarded|via|x-forwarded-.*|x-real-ip)$/i

/**
 * `http://host:port` of this service as its client wrote it; `undefined` where the host is not known to be this service's, and where
 * the client may know it by another URL.
 *
 * @param names the names of this service; what is merely not refused is not among them.
 */
export function originOf(ctx: Context, names: ReadonlySet<string>): string | undefined {
  const authority = authorityOf(ctx)
  if (authority === undefined || authority === 'none' || !isOwnHost(authority.host, names)) return undefined
  if (ctx.req.rawHeaders.some((name, i) => i % 2 === 0 && INDIRECT.test(name))) return undefined
  return `http://${authority.host}${authority.port === '' ? '' : `:${authority.port}`}`
}
