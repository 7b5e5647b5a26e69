import type { IncomingHttpHeaders } from 'node:http'
import type { Concatenation } from '../core/concatenation.ts'
import { UploadError } from '../core/errors.ts'
import type { Source } from '../core/source.ts'
import type { Count } from '../core/store.ts'
import type { Upload } from '../core/upload.ts'
import type { Uploads } from '../core/uploads.ts'
import { contentLength } from '../http/header-values.ts'
import { type Exchange, withBody } from './request-body.ts'

/** How the bytes of a body are taken. */
export interface CountedSource {
  readonly source: Source
  readonly count: Count
}

/** What the protocols in which a body goes on at an offset have in common: each of them is its headers and its answers on top of this. */
export class Intake {
  readonly #uploads: Uploads
  readonly #concatenation: Concatenation
  readonly #maxSize: number
  readonly #idleTimeout: number

  /**
   * @param maxSize the most bytes that an upload may have; `Infinity` for no limit.
   * @param idleTimeout after how many milliseconds without a byte a client is given up.
   */
  constructor(uploads: Uploads, concatenation: Concatenation, maxSize: number, idleTimeout: number) {
    this.#uploads = uploads
    this.#concatenation = concatenation
    this.#maxSize = maxSize
    this.#idleTimeout = idleTimeout
  }

  /** @throws UploadError `too_large` when Content-Length already tells that a body at `offset` cannot fit. */
  checkRoom(headers: IncomingHttpHeaders, offset: number, length: number | null): void {
    const limit = length ?? this.#maxSize
    if (offset + (contentLength(headers) ?? 0) > limit) {
      throw new UploadError('too_large', `The body extends beyond the end of the upload at byte ${limit}.`)
    }
  }

  /** @throws UploadError `final_upload`, `too_large`, and what `Upload.setLength` throws. */
  async setLength(upload: Upload, length: number): Promise<void> {
    refuseFinal(upload)
    this.#uploads.checkSize(length)
    await upload.setLength(length)
  }

  /**
   * Goes on at `offset` with the body of a request.
   *
   * @param sourceOf how the bytes of the body are taken.
   * @throws UploadError `final_upload`, `too_large`, and what `Upload.append` throws.
   */
  async append(
    exchange: Exchange,
    upload: Upload,
    offset: number,
    sourceOf: (body: Source) => CountedSource,
  ): Promise<void> {
    refuseFinal(upload)
    const { length } = upload.record
    if (upload.continuesAt(offset)) this.checkRoom(exchange.req.headers, offset, length)
    const range = { start: offset, end: length ?? this.#maxSize }
    await withBody(exchange, this.#idleTimeout, (body) => {
      const { source, count } = sourceOf(body)
      return upload.append(range, source, count)
    })
  }

  /** Forgets an upload by `leave`, and what only it was kept for. */
  async remove(id: string, leave: (upload: Upload) => Promise<void>): Promise<void> {
    const parts = await this.#uploads.use(id, async (upload) => {
      await leave(upload)
      if (upload.record.final !== undefined) this.#concatenation.look(upload)
      return upload.record.parts ?? []
    })
    await this.#concatenation.forget(id, parts)
  }

  /** Has the final upload looked after that a part belongs to which may be complete now. */
  look(upload: Upload): void {
    if (upload.state === 'sealed') this.#concatenation.look(upload)
  }
}

/** Concatenation: "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL". */
function refuseFinal(upload: Upload): void {
  if (upload.record.parts === undefined) return
  throw new UploadError('final_upload', 'A final upload consists of its parts and accepts no data.')
}

/**
 * To tus, and to clients like it, an upload ends with its last byte: whoever began it, they can take it for complete then.
 *
 * @throws UploadError what `Upload.announceEnd` throws.
 */
export async function endIfWhole(upload: Upload): Promise<void> {
  if (upload.offset === upload.record.length) await upload.announceEnd(upload.offset)
}
