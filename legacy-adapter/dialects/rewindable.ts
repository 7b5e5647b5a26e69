import { bytesIn } from '../../server/core/reader.ts'
import type { Source } from '../../server/core/source.ts'

/**
 * A source that can be read from its beginning once more, after a comparison with stored bytes has found the first
 * difference. All batches but the last were equal, so their bytes are the stored ones: nothing is buffered.
 */
export class RewindableSource implements Source {
  /** The upload whose bytes were compared. */
  compared: string | undefined
  readonly #source: Source
  #last: readonly Buffer[] = []
  #passed = 0
  #stored: AsyncIterator<Buffer> | undefined
  #isLastDue = false

  constructor(source: Source) {
    this.#source = source
  }

  /** How many bytes precede the last batch. */
  get passed(): number {
    return this.#passed
  }

  get waitingSince(): number | undefined {
    return this.#source.waitingSince
  }

  async read(): Promise<readonly Buffer[] | null> {
    if (this.#stored !== undefined) {
      const next = await this.#stored.next()
      if (next.done !== true) return [next.value]
      this.#stored = undefined
    }
    if (this.#isLastDue) {
      this.#isLastDue = false
      return this.#last
    }
    this.#passed += bytesIn(this.#last)
    this.#last = []
    const batch = await this.#source.read()
    this.#last = batch ?? []
    return batch
  }

  cancel(reason: Error): void {
    this.#source.cancel(reason)
  }

  /** Begins again. @param stored the first `passed` bytes of the compared upload. */
  rewind(stored: AsyncIterable<Buffer>): void {
    this.compared = undefined
    this.#stored = stored[Symbol.asyncIterator]()
    this.#isLastDue = this.#last.length > 0
  }
}
