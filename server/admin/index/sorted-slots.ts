/** Slots of one block; a full one is split. */
const BLOCK = 1_024

/** A block takes slots of a full neighbour only if it has more room: each shift moves many. */
const MIN_SHIFT = 128

/** A place between two slots: before that of `index` in `block`. */
export interface Position {
  readonly block: number
  readonly index: number
}

/**
 * Slots of the index in an order that never needs to be sorted again: they are in blocks, so an insertion moves at most
 * one block. 4 bytes per slot, plus the room in the blocks.
 */
export class SortedSlots {
  /** A total order: 0 only for the same slot. */
  readonly compare: (a: number, b: number) => number
  readonly #blocks: Uint32Array[] = []
  readonly #counts: number[] = []

  constructor(compare: (a: number, b: number) => number) {
    this.compare = compare
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return this.#blocks.length * BLOCK * 4
  }

  insert(slot: number): void {
    if (this.#blocks.length === 0) this.#addBlock(0, new Uint32Array(BLOCK), 0)
    let { block, index } = this.lowerBound(slot)
    if (block === this.#blocks.length) {
      block -= 1
      index = this.#countOf(block)
    }
    if (
      this.#countOf(block) === BLOCK &&
      this.#countOf(block + 1) < BLOCK - MIN_SHIFT &&
      block + 1 < this.#blocks.length
    ) {
      const kept = this.#shift(block)
      if (index > kept) {
        block += 1
        index -= kept
      }
    }
    if (this.#countOf(block) === BLOCK) {
      // Slots often arrive in order: then blocks stay full.
      const isLast = block === this.#blocks.length - 1 && index === BLOCK
      const kept = isLast ? BLOCK : BLOCK / 2
      this.#split(block, kept)
      if (index > kept || isLast) {
        block += 1
        index -= kept
      }
    }
    const slots = this.#slots(block)
    slots.copyWithin(index + 1, index, this.#countOf(block))
    slots[index] = slot
    this.#counts[block] = this.#countOf(block) + 1
  }

  /** Removes a slot whose place is still that of its insertion. */
  remove(slot: number): void {
    const { block, index } = this.lowerBound(slot)
    if (block === this.#blocks.length || this.#slots(block)[index] !== slot) return
    const count = this.#countOf(block) - 1
    this.#slots(block).copyWithin(index, index + 1, count + 1)
    this.#counts[block] = count
    if (count > 0) return
    this.#blocks.splice(block, 1)
    this.#counts.splice(block, 1)
  }

  get start(): Position {
    return { block: 0, index: 0 }
  }

  get end(): Position {
    return { block: this.#blocks.length, index: 0 }
  }

  /** The place of the first slot that is not before `slot`. */
  lowerBound(slot: number): Position {
    return this.#first((other) => this.compare(other, slot) >= 0)
  }

  /** The place of the first slot that is after `slot`. */
  upperBound(slot: number): Position {
    return this.#first((other) => this.compare(other, slot) > 0)
  }

  /** How many slots are before a place. */
  rank({ block, index }: Position): number {
    let rank = index
    for (let i = 0; i < block; i++) rank += this.#countOf(i)
    return rank
  }

  /** Visits the slots between two places, in order, until `visit` returns false. */
  ascend(from: Position, to: Position, visit: (slot: number) => boolean): void {
    for (let block = from.block; block <= to.block && block < this.#blocks.length; block++) {
      const slots = this.#slots(block)
      const end = block === to.block ? to.index : this.#countOf(block)
      for (let i = block === from.block ? from.index : 0; i < end; i++) if (!visit(slots[i] ?? 0)) return
    }
  }

  /** Visits the slots between two places, the last one first, until `visit` returns false. */
  descend(from: Position, to: Position, visit: (slot: number) => boolean): void {
    for (let block = Math.min(to.block, this.#blocks.length - 1); block >= from.block; block--) {
      const slots = this.#slots(block)
      const end = block === to.block ? to.index : this.#countOf(block)
      const start = block === from.block ? from.index : 0
      for (let i = end - 1; i >= start; i--) if (!visit(slots[i] ?? 0)) return
    }
  }

  /** The first place whose slot, and all after it, pass the test. */
  #first(test: (slot: number) => boolean): Position {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (test(this.#slots(middle)[this.#countOf(middle) - 1] ?? 0)) high = middle
      else low = middle + 1
    }
    if (low === this.#blocks.length) return this.end
    const slots = this.#slots(low)
    let from = 0
    let to = this.#countOf(low)
    while (from < to) {
      const middle = (from + to) >>> 1
      if (test(slots[middle] ?? 0)) to = middle
      else from = middle + 1
    }
    return { block: low, index: from }
  }

  /** Moves slots of a full block into the next one, until both are equally full. @returns how many stay. */
  #shift(block: number): number {
    const [slots, next] = [this.#slots(block), this.#slots(block + 1)]
    const count = this.#countOf(block + 1)
    const moved = (BLOCK - count) >>> 1
    next.copyWithin(moved, 0, count)
    next.set(slots.subarray(BLOCK - moved))
    this.#counts[block] = BLOCK - moved
    this.#counts[block + 1] = count + moved
    return BLOCK - moved
  }

  #split(block: number, kept: number): void {
    const slots = this.#slots(block)
    const second = new Uint32Array(BLOCK)
    second.set(slots.subarray(kept))
    this.#counts[block] = kept
    this.#addBlock(block + 1, second, BLOCK - kept)
  }

  #addBlock(at: number, slots: Uint32Array, count: number): void {
    this.#blocks.splice(at, 0, slots)
    this.#counts.splice(at, 0, count)
  }

  #slots(block: number): Uint32Array {
    const slots = this.#blocks[block]
    if (slots === undefined) throw new RangeError(`There is no block ${block}.`)
    return slots
  }

  #countOf(block: number): number {
    return this.#counts[block] ?? 0
  }
}
