import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'

const CRLF = Buffer.from('\r\n')

/** A request body from which small pieces are parsed; the remaining bytes pass through uncopied. */
export class BodyBytes {
  readonly #body: Pick<Source, 'read'>
  /** The first unread bytes. Joined with the next buffer only when a match spans both. */
  #first: Buffer = CRLF
  #queue: Buffer[] = []
  /** A boundary at the start of the body lacks its CRLF, so one is put in front. */
  #position = -CRLF.length

  constructor(body: Pick<Source, 'read'>) {
    this.#body = body
  }

  /** How many bytes of the body have been taken. */
  get position(): number {
    return this.#position
  }

  /** Returns at least `count` bytes without taking them. */
  async peek(count: number): Promise<Buffer> {
    while (this.#first.length < count) await this.#grow(count)
    return this.#first
  }

  take(count: number): Buffer {
    const taken = this.#first.subarray(0, count)
    this.#first = this.#first.subarray(count)
    this.#position += count
    return taken
  }

  /** Takes the bytes before `mark`; takes nothing and returns `undefined` if they exceed `limit` bytes. */
  async takeUntil(mark: Buffer, limit: number): Promise<Buffer | undefined> {
    let searched = 0
    for (;;) {
      const found = this.#first.indexOf(mark, Math.max(0, searched - mark.length + 1))
      if (found !== -1) return found <= limit ? this.take(found) : undefined
      if (this.#first.length >= limit + mark.length) return undefined
      searched = this.#first.length
      await this.#grow(limit + mark.length)
    }
  }

  /** Discards all bytes up to and including `mark`, however many. */
  async skipThrough(mark: Buffer): Promise<void> {
    for (;;) {
      const found = this.#first.indexOf(mark)
      if (found !== -1) {
        this.take(found + mark.length)
        return
      }
      this.take(Math.max(0, this.#first.length - mark.length + 1))
      await this.#grow(Number.POSITIVE_INFINITY)
    }
  }

  /** Whether the next bytes are `pattern`; waits for no more bytes than it needs to decide. */
  async startsWith(pattern: Buffer): Promise<boolean> {
    let same = 0
    while (same < pattern.length && (await this.peek(same + 1))[same] === pattern[same]) same++
    return same === pattern.length
  }

  /** All buffered bytes, or else the next batch; `null` at the end of the body. */
  next(): Promise<readonly Buffer[] | null> {
    const batch = [this.#first, ...this.#queue].filter((bytes) => bytes.length > 0)
    if (batch.length === 0) return this.#body.read()
    this.#first = Buffer.alloc(0)
    this.#queue = []
    return Promise.resolve(batch)
  }

  /** Puts back the tail of the batch that `next` returned. */
  putBack(first: Buffer, others: readonly Buffer[]): void {
    this.#first = first
    this.#queue = [...others]
  }

  /** Appends buffered bytes to the first piece, up to `longest` bytes in total, or waits for more. */
  async #grow(longest: number): Promise<void> {
    if (this.#queue.length === 0) {
      // The next read may reuse the buffers of the last one.
      this.#first = Buffer.from(this.#first)
      const batch = await this.#body.read()
      if (batch === null) throw cutShort()
      this.#queue = [...batch]
    }
    const next = this.#queue.shift()
    if (next === undefined || this.#first.length === 0) {
      this.#first = next ?? this.#first
      return
    }
    const room = longest - this.#first.length
    this.#first = Buffer.concat([this.#first, next.subarray(0, room)])
    if (next.length > room) this.#queue.unshift(next.subarray(room))
  }
}

/** The error for a body that is not what RFC 7578 describes. */
export function malformed(sentence: string): UploadError {
  return new UploadError('malformed_body', sentence)
}

/** The error for a body that ends too early. */
export function cutShort(): UploadError {
  return malformed('The body ends before its closing boundary.')
}
