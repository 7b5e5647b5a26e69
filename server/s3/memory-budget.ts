import { PieceBuffers } from './piece-buffers.ts'

/** Something that holds memory, and can give most of it back by storing its bytes earlier than it would. */
export interface Holder {
  /** Bytes that it could give back now. */
  readonly spare: number
  /** Gives them back soon. */
  shrink(): void
}

interface Waiter {
  readonly bytes: number
  readonly grant: () => void
}

/**
 * The memory for bytes that S3 does not have yet. When it is used up, those who hold most store their bytes in smaller
 * pieces, and who needs more waits for that, in order of arrival.
 */
export class MemoryBudget {
  /** Memory that has been given back, and is used again. With what is used, it is at most the limit. */
  readonly pieces = new PieceBuffers(() => this.#limit - this.#used)
  readonly #limit: number
  readonly #holders = new Set<Holder>()
  readonly #queue: Waiter[] = []
  #used = 0

  /** @param limit bytes. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes. */
  get used(): number {
    return this.#used
  }

  /** Takes memory, waiting if there is none. Give it back with `give`. */
  async take(bytes: number): Promise<void> {
    if (this.#queue.length === 0 && this.#fits(bytes)) {
      this.#use(bytes)
      return
    }
    await new Promise<void>((resolve) => {
      this.#queue.push({ bytes, grant: resolve })
      this.#makeRoom()
    })
  }

  /** Takes memory if there is any that nobody waits for. @returns whether it did. */
  tryTake(bytes: number): boolean {
    if (this.#queue.length > 0 || this.#used + bytes > this.#limit) return false
    this.#use(bytes)
    return true
  }

  /** Takes memory at once, maybe more than there is. */
  owe(bytes: number): void {
    this.#use(bytes)
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#grant()
  }

  /** A holder can give back more than before: those who wait may need it. */
  offer(): void {
    if (this.#queue.length > 0) this.#makeRoom()
  }

  /** Adds one that holds memory. */
  enlist(holder: Holder): void {
    this.#holders.add(holder)
  }

  retire(holder: Holder): void {
    this.#holders.delete(holder)
  }

  #use(bytes: number): void {
    this.#used += bytes
    this.pieces.trim()
  }

  /** One that needs more than there is at all gets it when nothing else is used. */
  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit
  }

  #grant(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#fits(next.bytes); next = this.#queue[0]) {
      this.#queue.shift()
      this.#use(next.bytes)
      next.grant()
    }
    if (this.#queue.length > 0) this.#makeRoom()
  }

  /** Lets the largest holders shrink, until those who wait will fit. */
  #makeRoom(): void {
    let lacking = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0) - (this.#limit - this.#used)
    const largest = [...this.#holders].filter(({ spare }) => spare > 0).sort((a, b) => b.spare - a.spare)
    for (const holder of largest) {
      if (lacking <= 0) return
      lacking -= holder.spare
      holder.shrink()
    }
  }
}
