import type { Range } from '../core/ranges.ts'
import type { Holder, MemoryBudget } from './memory-budget.ts'
import type { Piece } from './names.ts'

/**
 * The bytes of small pieces, while there is memory: they will be stored once more as one piece, and need not be read
 * for that.
 */
export class PieceCache implements Holder {
  readonly #budget: MemoryBudget
  readonly #bytes = new Map<string, Buffer>()
  #size = 0

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  get spare(): number {
    return this.#size
  }

  shrink(): void {
    this.clear()
  }

  /** Keeps a copy, if there is memory that nobody else needs. */
  add({ name }: Piece, bytes: Buffer): void {
    if (!this.#budget.tryTake(bytes.length)) return
    if (this.#size === 0) this.#budget.enlist(this)
    this.#size += bytes.length
    this.#bytes.set(name, Buffer.from(bytes))
  }

  /** @param range bytes of the piece, from its beginning on. */
  read({ name }: Piece, { start, end }: Range): Buffer | undefined {
    return this.#bytes.get(name)?.subarray(start, end)
  }

  remove(pieces: readonly Piece[]): void {
    for (const { name } of pieces) {
      const bytes = this.#bytes.get(name)
      if (bytes === undefined) continue
      this.#bytes.delete(name)
      this.#give(bytes.length)
    }
  }

  clear(): void {
    this.#bytes.clear()
    this.#give(this.#size)
  }

  #give(size: number): void {
    this.#size -= size
    if (this.#size === 0) this.#budget.retire(this)
    this.#budget.give(size)
  }
}
