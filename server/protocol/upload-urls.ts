import type { Context } from 'koa'
import { originOf } from '../http/allowed-hosts.ts'
import { forwardedRequest, type TrustProxy } from '../http/forwarded.ts'

/** The URLs of uploads in responses. */
export interface UploadUrls {
  /** For `Location`: absolute wherever that is safe, since some clients cannot resolve a relative one. */
  readonly location: (ctx: Context, id: string) => string
  /** For pages, which resolve it against their own URL: absolute only with PUBLIC_URL. */
  readonly forPage: (ctx: Context, id: string) => string
  /** For links, which only download. */
  readonly link: (ctx: Context, name: string) => string
}

/**
 * @param publicUrl PUBLIC_URL; empty if unset.
 * @param downloadUrl DOWNLOAD_URL; empty if unset.
 * @param names the host names of this service.
 */
export function uploadUrls(
  publicUrl: string,
  downloadUrl: string,
  trustProxy: TrustProxy,
  names: ReadonlySet<string>,
): UploadUrls {
  const forPage = (ctx: Context, id: string): string => {
    const base = publicUrl === '' ? forwardedRequest(ctx, trustProxy).prefix : publicUrl
    return `${base}/files/${id}`
  }
  const location = (ctx: Context, id: string): string =>
    `${publicUrl === '' ? (originOf(ctx, names) ?? '') : ''}${forPage(ctx, id)}`
  return {
    forPage,
    location,
    link: (ctx, name) => (downloadUrl === '' ? location(ctx, name) : `${downloadUrl}/files/${name}`),
  }
}
