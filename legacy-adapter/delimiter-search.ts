/** The result of searching one piece of a part's body. */
export interface Searched {
  /** Bytes that belong to the part, in order. Views of the piece, not copies: read-only. */
  readonly data: readonly Buffer[]
  /** The bytes after the delimiter in the same piece, possibly none; `undefined` if it was not found. */
  readonly rest: Buffer | undefined
}

const CR = 0x0d

/**
 * Finds the delimiter CRLF `--boundary` (RFC 2046, section 5.1.1) that ends a part, even if it spans pieces. A CR
 * occurs only at its start. So only one partial match can be open at a time, and its bytes need not be kept.
 */
export class DelimiterSearch {
  readonly #delimiter: Buffer
  /** How many leading bytes of the delimiter end the previous piece. */
  #held = 0

  /** @param boundary the parameter of the Content-Type: ASCII without CR. */
  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /** Searches the next piece. Not callable again after it has returned a `rest`. */
  push(piece: Buffer): Searched {
    const data: Buffer[] = []
    if (this.#held > 0) {
      const same = this.#sameAsHeld(piece)
      if (this.#held + same === this.#delimiter.length) return { data, rest: piece.subarray(same) }
      if (same === piece.length) {
        this.#held += same
        return { data, rest: undefined }
      }
      data.push(this.#delimiter.subarray(0, this.#held))
      this.#held = 0
    }
    const found = piece.indexOf(this.#delimiter)
    const end = found === -1 ? piece.length - this.#openEnd(piece) : found
    if (end > 0) data.push(piece.subarray(0, end))
    if (found !== -1) return { data, rest: piece.subarray(found + this.#delimiter.length) }
    this.#held = piece.length - end
    return { data, rest: undefined }
  }

  /** How many leading bytes of `piece` continue the partial match. */
  #sameAsHeld(piece: Buffer): number {
    const most = Math.min(piece.length, this.#delimiter.length - this.#held)
    let same = 0
    while (same < most && piece[same] === this.#delimiter[this.#held + same]) same++
    return same
  }

  /** How many trailing bytes of `piece`, which does not contain the delimiter, could begin it. */
  #openEnd(piece: Buffer): number {
    const tail = piece.subarray(Math.max(0, piece.length - this.#delimiter.length + 1))
    const cr = tail.lastIndexOf(CR)
    if (cr === -1) return 0
    const open = tail.subarray(cr)
    return open.equals(this.#delimiter.subarray(0, open.length)) ? open.length : 0
  }
}
