import { BUFFER_SIZE, borrow, giveBack } from './write-buffers.ts'

/** From how many bytes on a batch is worth a write buffer: many slow clients must not hold one each. */
const WORTH_A_BUFFER = 128 * 1024
/** The system takes at most 1,024 buffers in one `writev`. */
const MOST_PIECES = 512

/** Bytes on their way from a socket to one write. */
export class Batch {
  #pieces: Buffer[] = []
  #size = 0
  #buffer: Buffer | undefined
  /** How many bytes make it full. */
  #limit = BUFFER_SIZE
  /** How much of the buffer is used, in bytes. */
  #filled = 0

  /** Bytes. */
  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= this.#limit || this.#pieces.length >= MOST_PIECES
  }

  add(piece: Buffer): void {
    this.#size += piece.length
    if (this.#buffer === undefined && this.#limit === BUFFER_SIZE && this.#size >= WORTH_A_BUFFER) this.#startBuffer()
    if (!this.#copy(piece)) this.#pieces.push(piece)
  }

  /** The bytes in order. They stay valid until `release`. */
  get bytes(): readonly Buffer[] {
    return this.#buffer === undefined ? this.#pieces : [this.#buffer.subarray(0, this.#filled), ...this.#pieces]
  }

  /** Says that nobody looks at the bytes any more. */
  release(): void {
    if (this.#buffer !== undefined) giveBack(this.#buffer)
    this.#buffer = undefined
    this.#pieces = []
    this.#size = 0
    this.#filled = 0
    this.#limit = BUFFER_SIZE
  }

  #startBuffer(): void {
    this.#buffer = borrow()
    if (this.#buffer === undefined) {
      this.#limit = WORTH_A_BUFFER
      return
    }
    const early = this.#pieces
    this.#pieces = []
    for (const piece of early) this.#copy(piece)
  }

  /** @returns whether the piece went into the buffer; what does not fit stays behind it as it is. */
  #copy(piece: Buffer): boolean {
    if (this.#buffer === undefined || this.#pieces.length > 0 || this.#filled + piece.length > BUFFER_SIZE) return false
    piece.copy(this.#buffer, this.#filled)
    this.#filled += piece.length
    return true
  }
}
