import { UploadError } from './errors.ts'
import type { Range } from './ranges.ts'
import type { Source } from './source.ts'

/** A complete part of a final upload. */
export interface SealedPart {
  readonly id: string
  /** Bytes. */
  readonly length: number
}

/** The bytes of several uploads, one after another, as the source of one put. */
export class PartsSource implements Source {
  readonly waitingSince = undefined
  readonly #bytes: AsyncGenerator<Buffer>
  #cancelled: Error | undefined

  /** @param start how many of the first bytes are skipped. */
  constructor(
    parts: readonly SealedPart[],
    start: number,
    read: (id: string, range: Range) => Promise<AsyncIterable<Buffer>>,
  ) {
    this.#bytes = bytesOf(parts, start, read)
  }

  async read(): Promise<readonly Buffer[] | null> {
    if (this.#cancelled !== undefined) throw this.#cancelled
    const next = await this.#bytes.next()
    return next.done ? null : [next.value]
  }

  cancel(reason: Error): void {
    this.#cancelled ??= reason
  }

  /** Closes the part that is open. */
  async close(): Promise<void> {
    await this.#bytes.return(undefined)
  }
}

/** @throws UploadError `storage_error` if a part is shorter than its length. */
async function* bytesOf(
  parts: readonly SealedPart[],
  from: number,
  read: (id: string, range: Range) => Promise<AsyncIterable<Buffer>>,
): AsyncGenerator<Buffer> {
  let begin = 0
  for (const { id, length } of parts) {
    let position = Math.max(from - begin, 0)
    begin += length
    if (position >= length) continue
    for await (const bytes of await read(id, { start: position, end: length })) {
      position += bytes.length
      yield bytes
    }
    if (position < length) throw new UploadError('storage_error', 'The bytes of a part could not be read.')
  }
}
