import type { Context, Middleware } from 'koa'
import type { Links } from '../auth/links.ts'
import type { Desk } from '../core/desk.ts'
import { UploadError } from '../core/errors.ts'
import { forwardedRequest, type TrustProxy } from '../http/forwarded.ts'
import { authorityOf, parseAuthority } from '../http/host.ts'
import { FILE_PATH, HEALTH_PATH } from '../http/paths.ts'
import { protocolOf } from '../protocol/protocol.ts'

/**
 * Another host name of this service, which serves downloads and nothing else: an uploaded file has no origin in common
 * with the pages.
 */
export interface DownloadHost {
  /** DOWNLOAD_URL, without a slash at its end. */
  readonly url: string
  readonly isRequested: (ctx: Context) => boolean
}

/** How long a redirected download can be resumed, in seconds. */
const LIFETIME = 24 * 60 * 60

/**
 * @param url DOWNLOAD_URL; empty if unset.
 * @param publicUrl PUBLIC_URL; empty if unset.
 * @throws Error with a sentence for the operator if both have the same host name: cookies ignore ports.
 */
export function downloadHost(url: string, publicUrl: string, trustProxy: TrustProxy): DownloadHost | undefined {
  if (url === '') return undefined
  const { hostname } = new URL(url)
  if (publicUrl !== '' && new URL(publicUrl).hostname === hostname) {
    throw new Error('DOWNLOAD_URL must have another host name than PUBLIC_URL.')
  }
  const name = parseAuthority(hostname)?.host
  return { url, isRequested: (ctx) => hostsOf(ctx, trustProxy).includes(name) }
}

/** The hosts that the client may have requested; a proxy may replace the Host header. */
function hostsOf(ctx: Context, trustProxy: TrustProxy): readonly (string | undefined)[] {
  const authority = authorityOf(ctx)
  const direct = authority === 'none' ? undefined : authority?.host
  return [direct, parseAuthority(forwardedRequest(ctx, trustProxy).host ?? '')?.host]
}

/** Refuses everything but downloads and health checks on that host. @throws UploadError `not_found`. */
export function serveDownloadsOnly(host: DownloadHost): Middleware {
  return (ctx, next) => {
    if (!host.isRequested(ctx) || isDownload(ctx) || HEALTH_PATH.test(ctx.path)) return next()
    throw new UploadError('not_found', 'Not found.')
  }
}

function isDownload(ctx: Context): boolean {
  return (ctx.method === 'GET' || ctx.method === 'HEAD') && FILE_PATH.test(ctx.path) && protocolOf(ctx) === undefined
}

/**
 * Redirects a download to that host, with a link: the credentials of the client do not reach another host.
 *
 * @throws UploadError what `Desk.use` throws.
 */
export async function redirectDownload(
  ctx: Context,
  desk: Desk,
  id: string,
  host: DownloadHost,
  links: Links,
): Promise<void> {
  const isLink = desk.principal.link !== undefined
  if (!isLink) await desk.use(id, async () => undefined)
  const path = isLink ? ctx.path : `/files/${links.sign(id, Math.floor(Date.now() / 1000) + LIFETIME)}`
  ctx.set('Cache-Control', 'no-store')
  ctx.status = 307
  ctx.redirect(`${host.url}${path}${ctx.search}`)
}
