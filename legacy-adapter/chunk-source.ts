import { UploadError } from '../server/core/errors.ts'
import { lengthOf, type Range } from '../server/core/ranges.ts'
import { bytesIn } from '../server/core/reader.ts'
import type { Source } from '../server/core/source.ts'

/**
 * The bytes of a chunk that was placed by what is known before they come. Its length is proved at its end only: then `verify`
 * is asked, and its error keeps the chunk from counting. Bytes that do not fit into the place are read, too, because the
 * length that comes out tells where chunks of this file really lie.
 */
export class ChunkSource implements Source {
  readonly #file: Source
  readonly #room: number
  readonly #verify: (length: number) => Promise<void>
  #length = 0

  /** @param place where the chunk is put; without one no byte is handed out, and `verify` must throw. */
  constructor(file: Source, place: Range | undefined, verify: (length: number) => Promise<void>) {
    this.#file = file
    this.#room = place === undefined ? 0 : lengthOf(place)
    this.#verify = verify
  }

  get waitingSince(): number | undefined {
    return this.#file.waitingSince
  }

  cancel(reason: Error): void {
    this.#file.cancel(reason)
  }

  async read(): Promise<readonly Buffer[] | null> {
    for (;;) {
      const batch = await this.#file.read()
      if (batch === null) break
      this.#length += bytesIn(batch)
      if (this.#length <= this.#room) return batch
    }
    await this.#verify(this.#length)
    if (this.#length > this.#room)
      throw new UploadError('wrong_length', 'The chunk is longer than its place in the file.')
    return null
  }
}
