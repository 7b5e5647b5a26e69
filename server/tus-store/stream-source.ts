import type { Readable } from 'node:stream'
import { UploadError } from '../core/errors.ts'
import type { Source } from '../core/source.ts'

/** The bytes of a stream of Node. */
export class StreamSource implements Source {
  readonly #stream: Readable
  #failure: Error | undefined
  #waitingSince: number | undefined
  #wake: () => void = () => undefined

  constructor(stream: Readable) {
    this.#stream = stream
    const wake = (): void => this.#wake()
    stream.on('readable', wake).on('end', wake).on('error', wake).on('close', wake)
  }

  get waitingSince(): number | undefined {
    return this.#waitingSince
  }

  async read(): Promise<readonly Buffer[] | null> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const bytes: unknown = this.#stream.read()
      if (bytes instanceof Uint8Array) return [Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)]
      if (this.#stream.readableEnded) return null
      if (this.#stream.destroyed) {
        throw new UploadError('connection_closed', 'The connection closed before the whole body arrived.')
      }
      await this.#change()
    }
  }

  cancel(reason: Error): void {
    this.#failure ??= reason
    this.#wake()
  }

  async #change(): Promise<void> {
    this.#waitingSince = performance.now()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#waitingSince = undefined
  }
}
