/** Smaller buffers are not worth their place in the list. Bytes. */
const SMALLEST = 1024 * 1024
/** How long a buffer waits for its next use, in milliseconds; at most twice as long. */
const WAIT = 10_000

interface Free {
  readonly buffer: Buffer<ArrayBuffer>
  readonly since: number
}

/** Memory for pieces that is used again: the OS clears new memory, which costs more than to fill it. */
export class PieceBuffers {
  readonly #room: () => number
  /** The oldest first. */
  readonly #free: Free[] = []
  #freeBytes = 0
  #dropping: NodeJS.Timeout | undefined

  /** @param room how many bytes may wait now; call `trim` when it has become less. */
  constructor(room: () => number) {
    this.#room = room
  }

  /** A buffer of this size in bytes, with any content. */
  take(size: number): Buffer<ArrayBuffer> {
    const place = this.#free.findLastIndex(({ buffer }) => buffer.length === size)
    const [known] = place < 0 ? [] : this.#free.splice(place, 1)
    if (known === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return known.buffer
  }

  /** @param buffer that nothing reads any more. */
  giveBack(buffer: Buffer<ArrayBuffer>): void {
    if (buffer.length < SMALLEST) return
    this.#free.push({ buffer, since: performance.now() })
    this.#freeBytes += buffer.length
    this.trim()
    this.#dropping ??= setInterval(() => this.#dropUnused(), WAIT).unref()
  }

  /** Drops the oldest ones for which there is no room. */
  trim(): void {
    while (this.#freeBytes > 0 && this.#freeBytes > this.#room()) this.#dropOldest()
  }

  #dropUnused(): void {
    const before = performance.now() - WAIT
    for (let oldest = this.#free[0]; oldest !== undefined && oldest.since < before; oldest = this.#free[0]) {
      this.#dropOldest()
    }
    if (this.#free.length > 0) return
    clearInterval(this.#dropping)
    this.#dropping = undefined
  }

  #dropOldest(): void {
    this.#freeBytes -= this.#free.shift()?.buffer.length ?? 0
  }
}
