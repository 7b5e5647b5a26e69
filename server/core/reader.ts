import type { Source } from './source.ts'

/** Reads pieces of a given size from a source, without copying bytes. */
export class Reader {
  readonly #source: Source
  #left: Buffer[] = []
  #ended = false

  constructor(source: Source) {
    this.#source = source
  }

  /** At least one and at most `most` of the next bytes; `null` after the last. Throws what the source throws. */
  async take(most: number): Promise<Buffer[] | null> {
    while (this.#left.length === 0) {
      if (this.#ended) return null
      const batch = await this.#source.read()
      if (batch === null) this.#ended = true
      else this.#left = batch.filter((buffer) => buffer.length > 0)
    }
    return this.#split(most)
  }

  #split(most: number): Buffer[] {
    const taken: Buffer[] = []
    let room = most
    while (room > 0) {
      const buffer = this.#left.shift()
      if (buffer === undefined) break
      if (buffer.length > room) this.#left.unshift(buffer.subarray(room))
      const piece = buffer.subarray(0, room)
      taken.push(piece)
      room -= piece.length
    }
    return taken
  }
}

/** How many bytes the buffers hold together. */
export function bytesIn(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0)
}
