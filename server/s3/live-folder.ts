import { liveFolder } from './keys.ts'
import type { Piece } from './names.ts'
import type { Answered, S3Port } from './s3-port.ts'

/** The objects of an unfinished upload. */
export class LiveFolder {
  readonly #port: S3Port
  readonly #path: string
  /** What may be there: a call without an answer may have been applied. */
  readonly #names: Set<string>

  /**
   * @param prefix of everything but files.
   * @param names of what is there.
   */
  constructor(port: S3Port, prefix: string, id: string, names: readonly string[]) {
    this.#port = port
    this.#path = liveFolder(prefix, id)
    this.#names = new Set(names)
  }

  /** The key of the object of this name. */
  key(name: string): string {
    return `${this.#path}${name}`
  }

  /** @throws S3Error. */
  put(name: string, body: Buffer): Promise<Answered> {
    this.#names.add(name)
    return this.#port.put(this.key(name), body)
  }

  /** Copies an object of another upload. @throws S3Error. */
  async copy(from: LiveFolder, source: string, name: string): Promise<void> {
    this.#names.add(name)
    await this.#port.copy(from.key(source), this.key(name))
  }

  /** @throws S3Error. */
  async remove(pieces: readonly Piece[]): Promise<void> {
    await this.#remove(pieces.map(({ name }) => name))
  }

  /** Deletes what no longer counts, in the background; what stays is deleted after the end. */
  removeLater(pieces: readonly Piece[]): void {
    this.remove(pieces).catch(() => undefined)
  }

  /**
   * Deletes everything that is known. Claims stay: they tell a stopped process that the upload has ended.
   *
   * @throws S3Error.
   */
  async removeAll(): Promise<void> {
    await this.#remove([...this.#names])
  }

  async #remove(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    await this.#port.remove(names.map((name) => this.key(name)))
    for (const name of names) this.#names.delete(name)
  }
}
