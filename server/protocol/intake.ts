import type { IncomingHttpHeaders } from 'node:http'
import type { Concatenation } from '../core/concatenation.ts'
import type { Desk } from '../core/desk.ts'
import { UploadError } from '../core/errors.ts'
import type { Source } from '../core/source.ts'
import type { Count } from '../core/store.ts'
import type { Upload } from '../core/upload.ts'
import { contentLength } from '../http/header-values.ts'
import { type Exchange, withBody } from './request-body.ts'

/** A source of bytes, and when they count as received. */
export interface CountedSource {
  readonly source: Source
  readonly count: Count
}

/**
 * Takes the bodies of the protocols that continue an upload at an offset. Each protocol adds its headers and responses.
 */
export class Intake {
  readonly #concatenation: Concatenation
  readonly #maxSize: number
  readonly #idleTimeout: number

  /**
   * @param maxSize maximum bytes of an upload; `Infinity` for no limit.
   * @param idleTimeout when a body without data is aborted, in milliseconds.
   */
  constructor(concatenation: Concatenation, maxSize: number, idleTimeout: number) {
    this.#concatenation = concatenation
    this.#maxSize = maxSize
    this.#idleTimeout = idleTimeout
  }

  /** @throws UploadError `too_large` if, by its Content-Length, a body at `offset` cannot fit. */
  checkRoom(desk: Desk, headers: IncomingHttpHeaders, offset: number, length: number | null): void {
    const limit = length ?? this.#longest(desk)
    if (offset + (contentLength(headers) ?? 0) > limit) {
      throw new UploadError('too_large', `The body extends beyond the end of the upload at byte ${limit}.`)
    }
  }

  /** @throws UploadError `final_upload`, `too_large`, and what `Upload.setLength` throws. */
  async setLength(desk: Desk, upload: Upload, length: number): Promise<void> {
    refuseFinal(upload)
    desk.checkSize(length)
    await upload.setLength(length)
  }

  /**
   * Appends the body of a request at `offset`.
   *
   * @param sourceOf wraps the body, for example to verify it.
   * @throws UploadError `final_upload`, `too_large`, and what `Receiving.append` throws.
   */
  async append(
    exchange: Exchange,
    desk: Desk,
    upload: Upload,
    offset: number,
    sourceOf: (body: Source) => CountedSource,
  ): Promise<void> {
    refuseFinal(upload)
    const { length } = upload.record
    if (upload.receiving.continuesAt(offset)) this.checkRoom(desk, exchange.req.headers, offset, length)
    const range = { start: offset, end: length ?? this.#longest(desk) }
    await withBody(exchange, this.#idleTimeout, (body) => {
      const { source, count } = sourceOf(body)
      return upload.receiving.append(range, source, count)
    })
  }

  #longest({ principal }: Desk): number {
    return Math.min(this.#maxSize, principal.limits.maxSize ?? Number.POSITIVE_INFINITY)
  }

  /** Removes an upload by `leave`, and the parts that only it still needs. */
  async remove(desk: Desk, id: string, leave: (upload: Upload) => Promise<void>): Promise<void> {
    const parts = await desk.use(id, async (upload) => {
      await leave(upload)
      if (upload.record.final !== undefined) this.#concatenation.look(upload)
      return upload.record.parts ?? []
    })
    await this.#concatenation.forget(id, parts)
  }

  /** Resumes the final upload of a part that may be complete now. */
  look(upload: Upload): void {
    if (upload.state === 'sealed') this.#concatenation.look(upload)
  }
}

/**
 * Concatenation: "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL".
 */
function refuseFinal(upload: Upload): void {
  if (upload.record.parts === undefined) return
  throw new UploadError('final_upload', 'A final upload consists of its parts and accepts no data.')
}

/**
 * In tus and in early versions of the draft, an upload is complete with its last byte, whichever client created it.
 *
 * @throws UploadError what `Upload.announceEnd` throws.
 */
export async function endIfWhole(upload: Upload): Promise<void> {
  if (upload.offset === upload.record.length) await upload.announceEnd(upload.offset)
}
