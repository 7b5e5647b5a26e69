/** What a piece of a part's body turned out to be. */
export interface Searched {
  /** Bytes that certainly belong to the part, in order; views, not copies, so they must not be written to. */
  readonly data: readonly Buffer[]
  /** Once the delimiter was found: what follows it in the same piece, possibly nothing. */
  readonly rest: Buffer | undefined
}

const CR = 0x0d

/**
 * Finds the end of a part that comes in pieces: the delimiter CRLF `--boundary` (RFC 2046, section 5.1.1), which may be cut
 * anywhere. A CR stands only at its start, so no more than one beginning of it can be open at a time, and the bytes
 * that are held back for it are known without keeping them.
 */
export class DelimiterSearch {
  readonly #delimiter: Buffer
  /** How many bytes of the delimiter the pieces so far end with. */
  #held = 0

  /** @param boundary the parameter of the Content-Type, in ASCII and without a CR. */
  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /** Takes the next piece. Not to be called again after it gave a `rest`. */
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

  /** How many bytes at the start of `piece` continue the delimiter where the piece before left it. */
  #sameAsHeld(piece: Buffer): number {
    const most = Math.min(piece.length, this.#delimiter.length - this.#held)
    let same = 0
    while (same < most && piece[same] === this.#delimiter[this.#held + same]) same++
    return same
  }

  /** How many bytes at the end of `piece`, which does not contain the delimiter, could be the start of it. */
  #openEnd(piece: Buffer): number {
    const tail = piece.subarray(Math.max(0, piece.length - this.#delimiter.length + 1))
    const cr = tail.lastIndexOf(CR)
    if (cr === -1) return 0
    const open = tail.subarray(cr)
    return open.equals(this.#delimiter.subarray(0, open.length)) ? open.length : 0
  }
}
