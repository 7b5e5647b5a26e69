import type { Context } from 'koa'
import { originOf } from '../http/allowed-hosts.ts'
import { forwardedRequest, type TrustProxy } from '../http/forwarded.ts'

/** The URLs of uploads in responses. */
export interface UploadUrls {
  /** For `Location`: absolute wherever that is safe, since some clients cannot resolve a relative one. */
  readonly location: (ctx: Context, id: string) => string
  /** For pages that link to the file, and resolve it against their own URL: absolute only with a setting. */
  readonly forPage: (ctx: Context, id: string) => string
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
  const ownUrl = (ctx: Context, id: string): string => {
    const base = publicUrl === '' ? forwardedRequest(ctx, trustProxy).prefix : publicUrl
    return `${base}/files/${id}`
  }
  return {
    forPage: (ctx, id) => (downloadUrl === '' ? ownUrl(ctx, id) : `${downloadUrl}/files/${id}`),
    location: (ctx, id) => `${publicUrl === '' ? (originOf(ctx, names) ?? '') : ''}${ownUrl(ctx, id)}`,
  }
}
