import type { Source } from '../server/core/source.ts'
import { cutShort } from './malformed.ts'

const CRLF = Buffer.from('\r\n')

/** The body from its start on, for taking small things out of it; what follows them goes on uncopied. */
export class BodyBytes {
  readonly #body: Pick<Source, 'read'>
  /** The first bytes that are not taken yet. Joined with those behind them only when something lies across. */
  #first: Buffer = CRLF
  #queue: Buffer[] = []
  /** The CRLF in front stands for the one that a boundary at the very start of the body lacks. */
  #position = -CRLF.length

  constructor(body: Pick<Source, 'read'>) {
    this.#body = body
  }

  /** How many bytes of the body have been taken. */
  get position(): number {
    return this.#position
  }

  /** At least `count` bytes from here on; none are taken. */
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

  /** Takes what stands before `mark`; `undefined`, and nothing taken, if that would be more than `limit` bytes. */
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

  /** Takes everything up to and including `mark`, however much that is, and keeps none of it. */
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

  /** Whether `pattern` stands here; waits for no more bytes than it takes to tell. */
  async startsWith(pattern: Buffer): Promise<boolean> {
    let same = 0
    while (same < pattern.length && (await this.peek(same + 1))[same] === pattern[same]) same++
    return same === pattern.length
  }

  /** Everything that has come and is not taken, or the next that comes; `null` at the end of the body. */
  next(): Promise<readonly Buffer[] | null> {
    const batch = [this.#first, ...this.#queue].filter((bytes) => bytes.length > 0)
    if (batch.length === 0) return this.#body.read()
    this.#first = Buffer.alloc(0)
    this.#queue = []
    return Promise.resolve(batch)
  }

  /** Gives back the end of what `next` gave. */
  putBack(first: Buffer, others: readonly Buffer[]): void {
    this.#first = first
    this.#queue = [...others]
  }

  /** Appends to the first bytes what has come behind them, up to `longest` bytes in all, or waits for something to come. */
  async #grow(longest: number): Promise<void> {
    if (this.#queue.length === 0) {
      // The next read may fill the buffers of the last one anew.
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
