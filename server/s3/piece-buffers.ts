import type { MemoryBudget } from './memory-budget.ts'

/** How long memory waits for its next use, in milliseconds. */
const WAIT = 10_000

/** Memory for whole pieces that is used again: the OS clears new memory, which costs more than to fill it. */
export class PieceBuffers {
  readonly #budget: MemoryBudget
  readonly #free: Buffer<ArrayBuffer>[] = []
  #freeBytes = 0
  #dropping: NodeJS.Timeout | undefined

  /** @param budget of the memory that is in use; together with it, what waits is never more than that. */
  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /** A buffer of this size in bytes, with any content. */
  take(size: number): Buffer<ArrayBuffer> {
    const place = this.#free.findLastIndex(({ length }) => length === size)
    const [known] = place < 0 ? [] : this.#free.splice(place, 1)
    if (known !== undefined) this.#freeBytes -= size
    this.#drop()
    return known ?? Buffer.allocUnsafeSlow(size)
  }

  /** @param buffer that nothing reads any more. */
  giveBack(buffer: Buffer<ArrayBuffer>): void {
    this.#free.push(buffer)
    this.#freeBytes += buffer.length
    this.#drop()
    this.#dropping ??= setTimeout(() => this.#drop(0), WAIT).unref()
    this.#dropping.refresh()
  }

  /** Drops the oldest until at most `limit` bytes are left. */
  #drop(limit = Math.max(0, this.#budget.limit - this.#budget.used)): void {
    while (this.#freeBytes > limit) this.#freeBytes -= this.#free.shift()?.length ?? 0
  }
}
