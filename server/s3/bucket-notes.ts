import { S3Error } from './s3-error.ts'
import type { S3Port } from './s3-port.ts'
import { onS3, storageError } from './storage-error.ts'

/** Short texts by name, an object each, which all nodes share. */
export class BucketNotes {
  readonly #port: S3Port
  readonly #folder: string

  /** @param folder for these notes alone, with a slash at its end. */
  constructor(port: S3Port, folder: string) {
    this.#port = port
    this.#folder = folder
  }

  /** @returns `undefined` when there is no such note. @throws UploadError `storage_error`. */
  async read(name: string): Promise<string | undefined> {
    const { found } = await onS3(() => this.#port.get(`${this.#folder}${name}`))
    return found?.body.toString('utf8')
  }

  /** Writes a note if there is none. @returns whether it did. @throws UploadError `no_space`, `storage_error`. */
  async add(name: string, text: string): Promise<boolean> {
    try {
      await this.#port.put(`${this.#folder}${name}`, Buffer.from(text), { ifAbsent: true })
      return true
    } catch (error) {
      if (error instanceof S3Error && error.outcome === 'exists') return false
      throw storageError(error)
    }
  }

  /** Replaces a note. @throws UploadError `no_space`, `storage_error`. */
  async write(name: string, text: string): Promise<void> {
    await onS3(() => this.#port.put(`${this.#folder}${name}`, Buffer.from(text)))
  }
}
