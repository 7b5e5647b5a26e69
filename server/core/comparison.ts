import { UploadError } from './errors.ts'
import type { Range } from './ranges.ts'
import { bytesIn, Reader } from './reader.ts'
import type { StoredUpload } from './store.ts'

/**
 * Reads the bytes of a received range from `sent`, and compares them with the stored ones.
 *
 * @returns whether the source had all of them.
 * @throws UploadError `content_differs` at the first difference, and what the source and the store throw.
 */
export async function compareRange(stored: StoredUpload, range: Range, sent: Reader): Promise<boolean> {
  const comparison = new Comparison(stored.read(range))
  try {
    let position = range.start
    while (position < range.end) {
      const bytes = await sent.take(range.end - position)
      if (bytes === null) return false
      await comparison.check(bytes)
      position += bytesIn(bytes)
    }
    return true
  } finally {
    await comparison.close()
  }
}

/** Compares bytes that were sent again with the stored ones, in order. */
class Comparison {
  readonly #stored: AsyncIterator<Buffer>
  readonly #expected: Reader

  constructor(stored: AsyncIterable<Buffer>) {
    this.#stored = stored[Symbol.asyncIterator]()
    this.#expected = new Reader({
      read: async () => {
        const next = await this.#stored.next()
        return next.done ? null : [next.value]
      },
      cancel: () => undefined,
      waitingSince: undefined,
    })
  }

  /** @throws UploadError `content_differs` at the first difference. */
  async check(sent: readonly Buffer[]): Promise<void> {
    for (const buffer of sent) {
      let position = 0
      while (position < buffer.length) {
        const pieces = await this.#expected.take(buffer.length - position)
        if (pieces === null) throw new UploadError('storage_error', 'The stored bytes could not be read.')
        for (const piece of pieces) {
          if (!piece.equals(buffer.subarray(position, position + piece.length))) {
            throw new UploadError('content_differs', 'These bytes differ from those already received for this range.')
          }
          position += piece.length
        }
      }
    }
  }

  async close(): Promise<void> {
    await this.#stored.return?.()
  }
}
