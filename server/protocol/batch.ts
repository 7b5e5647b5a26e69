/** How many bytes make a batch full, and so how large a write is: larger ones were not faster, and they spoil the caches. */
const LARGE = 512 * 1024
/** The same while batches hold more than `BUDGET` bytes in the whole process: many clients must not hold much each. */
const SMALL = 128 * 1024
const BUDGET = 64 * 1024 * 1024
/** The system takes at most 1,024 buffers in one `writev`. */
const MOST_PIECES = 512

/** How many bytes the batches of this process hold. */
let held = 0

/** Bytes on their way from a socket to one write, in the pieces in which they came. */
export class Batch {
  #pieces: Buffer[] = []
  #size = 0

  /** Bytes. */
  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= (held > BUDGET ? SMALL : LARGE) || this.#pieces.length >= MOST_PIECES
  }

  /** The bytes in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#size += piece.length
    held += piece.length
  }

  /** Says that nobody needs the bytes any more. */
  release(): void {
    held -= this.#size
    this.#pieces = []
    this.#size = 0
  }
}
