import type { Context } from 'koa'
import type { ObjectPlace } from '../core/store.ts'
import { asksForInline, type ContentHeaders, contentHeaders } from './content.ts'
import { type DownloadableFile, FILE_CACHING, validatorsOf } from './download.ts'
import { entityTags } from './validators.ts'

/** How a bucket answers a signed URL. */
export interface SignedAnswer extends Pick<ContentHeaders, 'Content-Type' | 'Content-Disposition'> {
  readonly 'Cache-Control': string
}

/**
 * Signs a URL with which any client can read a file of a bucket for some minutes.
 *
 * @throws Error without credentials for the bucket.
 */
export type SignUrl = (object: ObjectPlace, answer: SignedAnswer) => Promise<string>

/**
 * Whether the bucket can answer this GET as the service would. It knows neither the entity tag that HEAD returns, nor
 * digests.
 */
export function isForBucket(ctx: Context, file: DownloadableFile): boolean {
  const { etag } = validatorsOf(file)
  const named = ['If-Match', 'If-None-Match', 'If-Range'].flatMap((name) => entityTags(ctx.get(name)))
  return !named.includes(etag) && ctx.get('Want-Repr-Digest') === ''
}

/** Redirects a download to the bucket. What browsers would run stays an attachment there. */
export async function redirectToBucket(
  ctx: Context,
  file: DownloadableFile,
  object: ObjectPlace,
  signUrl: SignUrl,
): Promise<void> {
  const { 'Content-Security-Policy': _, ...headers } = contentHeaders(file.metadata, asksForInline(ctx.query['inline']))
  const url = await signUrl(object, { ...headers, 'Cache-Control': FILE_CACHING })
  ctx.set('Cache-Control', 'no-store')
  ctx.status = 307
  ctx.redirect(url)
}
