import { liveFolder } from './keys.ts'
import type { Piece } from './names.ts'
import type { S3Port } from './s3-port.ts'

/** The objects of an unfinished upload. */
export class LiveFolder {
  readonly #port: S3Port
  readonly #path: string

  /** @param prefix of everything but files. */
  constructor(port: S3Port, prefix: string, id: string) {
    this.#port = port
    this.#path = liveFolder(prefix, id)
  }

  /** The key of the object of this name. */
  key(name: string): string {
    return `${this.#path}${name}`
  }

  /** @throws S3Error. */
  async remove(pieces: readonly Piece[]): Promise<void> {
    if (pieces.length > 0) await this.#port.remove(pieces.map(({ name }) => this.key(name)))
  }

  /** Deletes what no longer counts, in the background; what stays is deleted after the end. */
  removeLater(pieces: readonly Piece[]): void {
    this.remove(pieces).catch(() => undefined)
  }

  /**
   * Deletes everything but the claims, which tell a stopped process that the upload has ended.
   *
   * @throws S3Error.
   */
  async removeAll(): Promise<void> {
    for (let after: string | undefined; ; ) {
      const page = await this.#port.list(this.#path, { after })
      const keys = page.objects.map(({ key }) => key).filter((key) => !key.startsWith(this.key('c.')))
      if (keys.length > 0) await this.#port.remove(keys)
      if (page.next === undefined) return
      after = page.next
    }
  }
}
