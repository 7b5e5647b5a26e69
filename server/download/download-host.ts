import type { Context, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { forwardedRequest, type TrustProxy } from '../http/forwarded.ts'
import { authorityOf, parseAuthority } from '../http/host.ts'
import { FILE_PATH, HEALTH_PATH } from '../http/paths.ts'
import { protocolOf } from '../protocol/protocol.ts'

/**
 * @param downloadUrl DOWNLOAD_URL; empty if unset.
 * @param publicUrl PUBLIC_URL; empty if unset.
 * @throws Error with a sentence for the operator if both have the same host: cookies ignore ports.
 */
export function checkDownloadUrl(downloadUrl: string, publicUrl: string): void {
  if (downloadUrl === '' || publicUrl === '') return
  if (new URL(downloadUrl).hostname !== new URL(publicUrl).hostname) return
  throw new Error('DOWNLOAD_URL must have another host name than PUBLIC_URL.')
}

/**
 * Serves downloads on their own host: other hosts redirect them there, and it serves nothing else, so an uploaded file
 * has no origin in common with the pages.
 *
 * @param downloadUrl DOWNLOAD_URL.
 * @throws UploadError `not_found` for everything else on that host.
 */
export function separateDownloads(downloadUrl: string, trustProxy: TrustProxy): Middleware {
  const name = parseAuthority(new URL(downloadUrl).hostname)?.host
  return (ctx, next) => {
    const isFile = FILE_PATH.test(ctx.path)
    if (hostsOf(ctx, trustProxy).includes(name)) {
      if ((isFile && (isDownload(ctx) || isPlainHead(ctx))) || HEALTH_PATH.test(ctx.path)) return next()
      throw new UploadError('not_found', 'Not found.')
    }
    if (!isFile || !isDownload(ctx)) return next()
    ctx.status = 307
    ctx.redirect(`${downloadUrl}${ctx.path}${ctx.search}`)
  }
}

/** The hosts that the client may have requested; a proxy may replace the Host header. */
function hostsOf(ctx: Context, trustProxy: TrustProxy): readonly (string | undefined)[] {
  const authority = authorityOf(ctx)
  const direct = authority === 'none' ? undefined : authority?.host
  return [direct, parseAuthority(forwardedRequest(ctx, trustProxy).host ?? '')?.host]
}

/** A GET of the draft returns the state of an upload. */
function isDownload(ctx: Context): boolean {
  return ctx.method === 'GET' && protocolOf(ctx) !== 'draft'
}

function isPlainHead(ctx: Context): boolean {
  return ctx.method === 'HEAD' && protocolOf(ctx) === undefined
}
