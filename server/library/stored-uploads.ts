import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { copied } from '../core/copied.ts'
import { UploadError } from '../core/errors.ts'
import type { Upload } from '../core/upload.ts'
import type { Uploads } from '../core/uploads.ts'
import { type StoredView, viewOf } from './view.ts'

/** A range of bytes: `end` is the first byte after it. */
export interface ByteRange {
  readonly start?: number | undefined
  readonly end?: number | undefined
}

/** The uploads in the store, as the application sees them: all, regardless of the owner. */
export class StoredUploads {
  readonly #uploads: Uploads

  constructor(uploads: Uploads) {
    this.#uploads = uploads
  }

  /** @returns `undefined` if there is no such upload. @throws UploadError `storage_error`, `stopping`. */
  readonly get = async (id: string): Promise<StoredView | undefined> => {
    try {
      return await this.#uploads.use(id, async (upload) => {
        await upload.confirm()
        return storedView(upload)
      })
    } catch (error) {
      if (error instanceof UploadError && (error.code === 'not_found' || error.code === 'gone')) return undefined
      throw error
    }
  }

  /**
   * All uploads, or only those that are or are not finished, in no order. Uploads that are added or removed meanwhile
   * may or may not appear.
   *
   * @throws UploadError `storage_error`, `stopping`.
   */
  async *list({ finished }: { readonly finished?: boolean } = {}): AsyncGenerator<StoredView> {
    for await (const id of this.#uploads.ids(finished)) {
      const view = await this.get(id)
      if (view !== undefined) yield view
    }
  }

  /**
   * The bytes of a finished upload. The stream fails with an UploadError: `not_found` if there is no such file,
   * `range_not_satisfiable`, `storage_error`.
   */
  readonly open = (id: string, { start = 0, end }: ByteRange = {}): Readable => {
    const output = new PassThrough()
    const read = async (upload: Upload): Promise<void> => {
      await upload.confirm()
      const { length } = upload.record
      if (upload.state !== 'finished' || length === null) {
        throw new UploadError('not_found', 'This upload is not finished.')
      }
      const range = { start, end: end ?? length }
      if (start < 0 || start > range.end || range.end > length) {
        throw new UploadError('range_not_satisfiable', `The file has ${length} bytes.`)
      }
      await pipeline(copied(upload.read(range)), output)
    }
    this.#uploads.use(id, read).catch((error: unknown) => {
      output.destroy(error instanceof Error ? error : new Error(String(error)))
    })
    return output
  }

  /** Removes an upload, finished or not. @returns whether there was one. @throws UploadError `storage_error`, `busy`. */
  readonly remove = async (id: string): Promise<boolean> => {
    try {
      await this.#uploads.use(id, (upload) => upload.remove('deleted'))
      return true
    } catch (error) {
      if (error instanceof UploadError && (error.code === 'not_found' || error.code === 'gone')) return false
      throw error
    }
  }
}

function storedView(upload: Upload): StoredView {
  return { ...viewOf(upload.facts), finishedAt: upload.finishedAt }
}
