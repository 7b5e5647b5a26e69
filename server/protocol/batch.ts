/** How many bytes make a batch full, and so how large a write is: larger ones were not faster, and they spoil the caches. */
const FULL_SIZE = 512 * 1024
/** The same while batches hold more than `PROCESS_BUDGET` bytes in the whole process: many clients must not hold much each. */
const REDUCED_SIZE = 128 * 1024
const PROCESS_BUDGET = 64 * 1024 * 1024
/** The system takes at most 1,024 buffers in one `writev`. */
const MAX_PIECES = 512

/** How many bytes the batches of this process hold. */
let heldBytes = 0

/** Bytes on their way from a socket to one write, in the pieces in which they came. */
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

  /** Says that nobody needs the bytes any more. */
  release(): void {
    heldBytes -= this.#size
    this.#pieces = []
    this.#size = 0
  }
}
