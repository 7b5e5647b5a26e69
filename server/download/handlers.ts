import type { Context } from 'koa'
import { MAX_WAIT } from '../core/deadline.ts'
import type { Desk } from '../core/desk.ts'
import { UploadError } from '../core/errors.ts'
import type { Upload } from '../core/upload.ts'
import { type DownloadableFile, download } from './download.ts'
import { isForBucket, redirectToBucket, type SignUrl } from './redirect.ts'

/** Sets the headers that describe the state of an upload. */
type StateHeaders = (ctx: Context, upload: Upload, offset: number) => Promise<void>

/** GET and HEAD of an upload, for requests that name no upload protocol. */
export class DownloadHandlers {
  readonly #setStateHeaders: StateHeaders
  readonly #signUrl: SignUrl | undefined

  /** @param signUrl redirects downloads to the bucket; without it, the service sends all bytes. */
  constructor(setStateHeaders: StateHeaders, signUrl?: SignUrl) {
    this.#setStateHeaders = setStateHeaders
    this.#signUrl = signUrl
  }

  /** GET of a finished file. @throws UploadError `not_found` while it is not finished, `scanning`. */
  async get(ctx: Context, desk: Desk, id: string): Promise<void> {
    await desk.report(id, async (upload) => {
      await upload.finish(MAX_WAIT, 0)
      const file = fileOf(upload)
      if (file === undefined) throw new UploadError('not_found', 'This upload is not finished.')
      const { object } = upload.facts
      // A signed link hides the id, which the key contains, and may end earlier than a signed URL.
      const mayRedirect = desk.principal.link === undefined && isForBucket(ctx, file)
      if (this.#signUrl === undefined || object === undefined || !mayRedirect) return download(ctx, file)
      await redirectToBucket(ctx, file, object, this.#signUrl)
    })
  }

  /**
   * HEAD without a protocol header, from a client of the published RFC or an observer: it interrupts no request. Both
   * receive the state of the upload; for a finished file, also the headers of a download.
   */
  async head(ctx: Context, desk: Desk, id: string): Promise<void> {
    await desk.report(id, async (upload) => {
      await upload.receiving.catchUp()
      await upload.settle(0)
      await this.#setStateHeaders(ctx, upload, upload.receiving.offerOffset())
      const file = fileOf(upload)
      if (file !== undefined) return download(ctx, file)
      ctx.set('Cache-Control', 'no-store')
      ctx.status = 204
    })
  }
}

/** The file of an upload; `undefined` while it is not finished. */
export function fileOf(upload: Upload): DownloadableFile | undefined {
  const { finishedAt: modified, record } = upload
  if (modified === undefined || record.length === null) return undefined
  const read = upload.read.bind(upload)
  const digest = upload.digest.bind(upload)
  return { id: record.id, size: record.length, modified, metadata: record.metadata, read, digest }
}
