import { randomBytes } from 'node:crypto'
import { UploadError } from '../core/errors.ts'
import type { Range } from '../core/ranges.ts'
import type { Attempt, Count } from '../core/store.ts'
import type { Environment } from './environment.ts'
import type { Holder } from './memory-budget.ts'
import { type Piece, pieceName } from './names.ts'

/** What a piece in memory has room for at first, in bytes; it grows as bytes arrive. */
const FIRST_ROOM = 256 * 1024
/** How many times as much, each time. */
const GROWTH = 8
/** What stays in memory when a piece is stored early: the last piece shows that an attempt is whole. Bytes. */
const TAIL = 64 * 1024

/** What an attempt needs of its upload. */
export interface PiecesOf {
  readonly term: number
  /** Where a piece of `range` from `position` on ends at most. */
  cellEnd(position: number, range: Range): number
  /** How many of the last `count` bytes of a stream, from `position` on, are a piece of their own. */
  cut(position: number, count: number): number
  /** Stores the bytes of a piece. @throws UploadError. */
  put(piece: Piece, bytes: Buffer): Promise<void>
  /** Makes pieces count that are stored. @throws UploadError. */
  count(pieces: readonly Piece[]): Promise<void>
  /** The stored pieces of an attempt that will never count. */
  drop(pieces: readonly Piece[]): void
  /** The attempt holds nothing any more. */
  over(attempt: PieceAttempt): void
}

/**
 * An attempt whose bytes go to S3 as pieces. They wait in memory until a piece is full. The last one is stored by
 * `commit`: without it, the others never count.
 */
export class PieceAttempt implements Attempt, Holder {
  readonly #environment: Environment
  readonly #upload: PiecesOf
  readonly #range: Range
  readonly #token = randomBytes(8).toString('hex')
  readonly #begunAt: number
  readonly #isStream: boolean
  readonly #pieces: Piece[] = []
  /** Pieces that are being stored. */
  readonly #puts = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined
  /** Bytes of the next piece. */
  #buffer = Buffer.alloc(0)
  #filled = 0
  /** Where the next piece begins. */
  #start: number
  #isBusy = false
  #wantsRoom = false
  #isOver = false

  constructor(environment: Environment, upload: PiecesOf, range: Range, count: Count) {
    this.#environment = environment
    this.#upload = upload
    this.#range = range
    this.#start = range.start
    this.#begunAt = environment.clock.elapsed()
    this.#isStream = count === 'as-received'
    environment.budget.enlist(this)
  }

  get isDue(): boolean {
    const { clock, flushAfter } = this.#environment
    return this.#isStream && clock.elapsed() - this.#begunAt >= flushAfter
  }

  /** Bytes of this attempt that S3 has or that are in memory. */
  get size(): number {
    return this.#start + this.#filled - this.#range.start
  }

  get spare(): number {
    return this.#wantsRoom || this.#isOver ? 0 : this.#storable
  }

  shrink(): void {
    this.#wantsRoom = true
    // Otherwise, bytes are just being added.
    if (!this.#isBusy) this.#storeSpare()
  }

  async write(buffers: readonly Buffer[]): Promise<void> {
    for (const buffer of buffers) {
      let position = 0
      while (position < buffer.length) position += await this.#add(buffer.subarray(position))
    }
    this.#check()
  }

  async commit(): Promise<void> {
    this.#isOver = true
    try {
      const first = this.#upload.cut(this.#start, this.#filled)
      if (first < this.#filled) this.#store(first, false)
      await Promise.all(this.#puts)
      this.#check()
      if (this.#filled === 0 && this.#pieces.length === 0) return
      // The last piece has at least one byte: without memory for the next ones, there is none.
      if (this.#filled === 0) throw new UploadError('storage_error', 'The server is out of memory; try again later.')
      // Only now: from here on the attempt may count, whatever happens.
      this.#store(this.#filled, true)
      await Promise.all(this.#puts)
      this.#check()
      await this.#upload.count(this.#pieces)
    } finally {
      this.#free()
    }
  }

  async discard(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await Promise.all(this.#puts)
    this.#free()
    this.#upload.drop(this.#pieces)
  }

  /** Adds the first of some bytes. @returns how many. */
  async #add(bytes: Buffer): Promise<number> {
    // The room shrinks when the size of the cells becomes known.
    if (this.#filled > 0 && this.#room <= this.#filled) {
      await this.#whenFew()
      this.#check()
      this.#store(this.#filled, false)
    }
    if (this.#filled === this.#buffer.length) await this.#grow()
    this.#isBusy = true
    const room = Math.max(0, Math.min(this.#buffer.length, this.#room) - this.#filled)
    const count = Math.min(bytes.length, room)
    bytes.copy(this.#buffer, this.#filled, 0, count)
    this.#filled += count
    this.#isBusy = false
    if (this.#wantsRoom) this.#storeSpare()
    else if (this.spare >= FIRST_ROOM) this.#environment.budget.offer()
    return count
  }

  /** How many bytes the next piece can have. */
  get #room(): number {
    return Math.min(this.#range.end, this.#upload.cellEnd(this.#start, this.#range)) - this.#start
  }

  async #grow(): Promise<void> {
    const size = Math.min(this.#room, Math.max(FIRST_ROOM, this.#buffer.length * GROWTH))
    if (size <= this.#filled) throw new RangeError('The bytes exceed the range of the attempt.')
    // Meanwhile, the budget may let this attempt shrink.
    await this.#environment.budget.take(size)
    const before = this.#buffer
    this.#buffer = this.#environment.budget.pieces.take(size)
    before.copy(this.#buffer, 0, 0, this.#filled)
    this.#environment.budget.give(before.length)
    this.#environment.budget.pieces.giveBack(before)
  }

  /** How many bytes can be stored early. All but one if this attempt itself waits for memory: so others may, too. */
  get #storable(): number {
    if (this.#filled > TAIL) return this.#filled - TAIL
    return this.#filled > 0 && this.#filled === this.#buffer.length ? this.#filled - 1 : 0
  }

  #storeSpare(): void {
    this.#wantsRoom = false
    const count = this.#storable
    if (count > 0) this.#store(count, false)
  }

  /** Begins to store the first bytes in memory as a piece. */
  #store(count: number, isLast: boolean): void {
    const { budget } = this.#environment
    const buffer = this.#buffer
    const range = { start: this.#start, end: this.#start + count }
    const facts = { term: this.#upload.term, token: this.#token, index: this.#pieces.length, isLast, isCover: false }
    const piece = { ...facts, ...range, name: pieceName({ ...facts, ...range }) }
    this.#buffer = Buffer.from(buffer.subarray(count, this.#filled))
    budget.owe(this.#buffer.length)
    this.#filled -= count
    this.#start = range.end
    this.#pieces.push(piece)
    const put = this.#upload.put(piece, buffer.subarray(0, count)).then(
      () => {
        this.#puts.delete(put)
        budget.give(buffer.length)
        if (count === buffer.length) budget.pieces.giveBack(buffer)
      },
      (error: unknown) => {
        this.#failure ??= { error }
        this.#puts.delete(put)
        // A try that has failed may still be sending it.
        budget.give(buffer.length)
      },
    )
    this.#puts.add(put)
  }

  async #whenFew(): Promise<void> {
    while (this.#puts.size >= this.#environment.parallel) await Promise.race(this.#puts)
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #free(): void {
    const { budget } = this.#environment
    budget.retire(this)
    budget.give(this.#buffer.length)
    this.#buffer = Buffer.alloc(0)
    this.#upload.over(this)
  }
}
