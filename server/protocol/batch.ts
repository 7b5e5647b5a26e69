/** Bytes of a full batch, and so of a write: larger ones were not faster, and evict the CPU caches. */
const FULL_SIZE = 512 * 1024
/** The same while all batches together exceed `PROCESS_BUDGET` bytes: many clients must not hold much each. */
const REDUCED_SIZE = 128 * 1024
const PROCESS_BUDGET = 64 * 1024 * 1024
/** The OS accepts at most 1,024 buffers in one `writev`. */
const MAX_PIECES = 512

/** Bytes that all batches of this process hold. */
let heldBytes = 0

/** Bytes between a socket and one write, in the pieces in which they arrived. */
export class Batch {
  #pieces: Buffer[] = []
  #size = 0

  /** Bytes. */
  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= (heldBytes > PROCESS_BUDGET ? REDUCED_SIZE : FULL_SIZE) || this.#pieces.length >= MAX_PIECES
  }

  /** The bytes in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#size += piece.length
    heldBytes += piece.length
  }

  /** Drops the bytes, and returns them to the budget. */
  release(): void {
    heldBytes -= this.#size
    this.#pieces = []
    this.#size = 0
  }
}
