import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import { safeName } from '../core/safe-name.ts'
import type { Upload } from '../core/upload.ts'
import type { Uploads } from '../core/uploads.ts'
import { withBody } from '../http/request-body.ts'
import { contentLength, formatMetadata, parseAppend, parseCreation, TUS_VERSION } from './headers.ts'

const EXTENSIONS = 'creation,creation-with-upload,creation-defer-length,termination'

export interface TusOptions {
  /** The most bytes that an upload may have; `Infinity` for no limit. */
  readonly maxSize: number
  /** After how many milliseconds without a byte a client is given up. */
  readonly idleTimeout: number
  /** The URL of an upload as clients are told it. */
  readonly urlOf: (id: string) => string
}

/** The handlers of tus 1.0.0 (https://tus.io/protocols/resumable-upload). Each throws `UploadError`. */
export class Tus {
  readonly #uploads: Uploads
  readonly #options: TusOptions

  constructor(uploads: Uploads, options: TusOptions) {
    this.#uploads = uploads
    this.#options = options
  }

  /** OPTIONS: what this server can do. */
  describe(ctx: Context): void {
    ctx.set({ 'Tus-Resumable': TUS_VERSION, 'Tus-Version': TUS_VERSION, 'Tus-Extension': EXTENSIONS })
    if (Number.isFinite(this.#options.maxSize)) ctx.set('Tus-Max-Size', String(this.#options.maxSize))
    ctx.status = 204
  }

  /** POST: creation, creation-with-upload, creation-defer-length. */
  async create(ctx: Context): Promise<void> {
    checkVersion(ctx)
    const { length, metadata, withBody } = parseCreation(ctx.headers)
    this.#checkRoom(ctx, 0, withBody ? length : null)
    const id = randomBytes(16).toString('hex')
    const fileName = safeName(metadata.filename ?? metadata.name)
    const record = { id, length, metadata, fileName, createdAt: new Date().toISOString() }
    await this.#uploads.create(record, async (upload) => {
      ctx.set('Location', this.#options.urlOf(id))
      if (withBody) await this.#append(ctx, upload, 0)
      else await upload.put({ start: 0, end: 0 }, NOTHING, 'as-received')
      await settleIfComplete(upload)
      ctx.set('Upload-Offset', String(upload.offset))
    })
    ctx.status = 201
  }

  /** HEAD: how far the upload is. Answers also while bytes come in; waits while the file is finished. */
  async inform(ctx: Context, id: string): Promise<void> {
    checkVersion(ctx)
    ctx.set('Cache-Control', 'no-store')
    await this.#uploads.use(id, async (upload) => {
      await upload.settle()
      const { length, metadata } = upload.record
      ctx.set('Upload-Offset', String(upload.offset))
      if (length === null) ctx.set('Upload-Defer-Length', '1')
      else ctx.set('Upload-Length', String(length))
      if (Object.keys(metadata).length > 0) ctx.set('Upload-Metadata', formatMetadata(metadata))
    })
    ctx.status = 200
  }

  /** PATCH: the next bytes. */
  async append(ctx: Context, id: string): Promise<void> {
    checkVersion(ctx)
    const { offset, length } = parseAppend(ctx.headers)
    await this.#uploads.use(id, async (upload) => {
      if (length !== undefined) await this.#sayLength(upload, length)
      try {
        await this.#append(ctx, upload, offset)
        await settleIfComplete(upload)
      } finally {
        ctx.set('Upload-Offset', String(upload.offset))
      }
    })
    ctx.status = 204
  }

  /** DELETE: termination, also of a finished upload. */
  async terminate(ctx: Context, id: string): Promise<void> {
    checkVersion(ctx)
    await this.#uploads.use(id, (upload) => upload.remove('deleted'))
    ctx.status = 204
  }

  async #append(ctx: Context, upload: Upload, offset: number): Promise<void> {
    if (offset === upload.offset) this.#checkRoom(ctx, offset, upload.record.length)
    const limit = upload.record.length ?? this.#options.maxSize
    await withBody(ctx.req, this.#options.idleTimeout, (body) =>
      upload.put({ start: offset, end: limit }, body, 'as-received'),
    )
  }

  /** @throws UploadError `too_large` when Content-Length already tells that the body cannot fit. */
  #checkRoom(ctx: Context, offset: number, length: number | null): void {
    const limit = length ?? this.#options.maxSize
    if (offset + (contentLength(ctx.headers) ?? 0) > limit) {
      throw new UploadError('too_large', `The body goes on beyond the end of the upload at byte ${limit}.`)
    }
  }

  async #sayLength(upload: Upload, length: number): Promise<void> {
    if (length > this.#options.maxSize) {
      throw new UploadError('too_large', `A file may have at most ${this.#options.maxSize} bytes here.`)
    }
    await upload.setLength(length)
  }
}

/** A body without bytes: an upload of length 0 is complete with it. */
const NOTHING = { read: () => Promise.resolve(null), cancel: () => undefined, waitingSince: undefined }

/** The request that brought the last byte waits for the outcome, so that nobody takes a file for finished that is not. */
async function settleIfComplete(upload: Upload): Promise<void> {
  if (upload.state === 'finishing') await upload.settle()
}

function checkVersion(ctx: Context): void {
  ctx.set('Tus-Resumable', TUS_VERSION)
  const version = ctx.get('Tus-Resumable')
  if (version === TUS_VERSION) return
  ctx.set('Tus-Version', TUS_VERSION)
  const found = version === '' ? 'Tus-Resumable is missing' : 'This version of tus is not supported'
  throw new UploadError('unsupported_version', `${found}: send Tus-Resumable: ${TUS_VERSION}.`)
}
