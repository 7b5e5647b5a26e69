import { readFile } from 'node:fs/promises'
import { ifThere } from '../disk/files.ts'
import type { Place } from './lines.ts'

const CONFIRMED = 1
const OVER = 2
/** The event is of a kind that this version does not know. */
const FOREIGN = 4
const FIRST_ENDPOINT = 8

/** Maximum endpoints: each needs a bit of a small integer. */
export const MAX_ENDPOINTS = 20

/** A file of lines, and the state of its intents: a few bytes each, however long their texts are. */
export class Segment {
  readonly number: number
  readonly path: string
  /** Bytes of whole lines. */
  size = 0
  /** Intents that are not over. */
  live = 0
  /** Intents that are in the file. */
  count = 0
  /** The index of the next intent. */
  next = 0
  /** The segments that marks in this file are about. Known once it has been compacted. */
  targets: ReadonlySet<number> | undefined
  readonly #states = new Map<number, number>()

  constructor(number: number, path: string) {
    this.number = number
    this.path = path
  }

  add(index: number): void {
    this.#states.set(index, 0)
    this.next = index + 1
    this.live += 1
    this.count += 1
  }

  /** Whether the intent is in the file. */
  has(index: number): boolean {
    return this.#states.has(index)
  }

  /** The intent is no longer in the file. */
  drop(index: number): void {
    if (this.#states.delete(index)) this.count -= 1
  }

  isOver(index: number): boolean {
    return ((this.#states.get(index) ?? OVER) & OVER) !== 0
  }

  isConfirmed(index: number): boolean {
    return ((this.#states.get(index) ?? 0) & CONFIRMED) !== 0
  }

  isDelivered(index: number, endpoint: number): boolean {
    return ((this.#states.get(index) ?? 0) & (FIRST_ENDPOINT << endpoint)) !== 0
  }

  isForeign(index: number): boolean {
    return ((this.#states.get(index) ?? 0) & FOREIGN) !== 0
  }

  /** The intent stays in the file, but is not delivered. */
  setAside(index: number): void {
    this.#set(index, FOREIGN)
  }

  confirm(index: number): void {
    this.#set(index, CONFIRMED)
  }

  end(index: number): void {
    if (this.isOver(index)) return
    this.#set(index, OVER)
    this.live -= 1
  }

  /** @param endpoints the number of all endpoints. @returns whether the intent is delivered to all of them. */
  deliver(index: number, endpoint: number, endpoints: number): boolean {
    this.#set(index, FIRST_ENDPOINT << endpoint)
    const all = FIRST_ENDPOINT * (2 ** endpoints - 1)
    return ((this.#states.get(index) ?? 0) & all) === all
  }

  /** How many intents are confirmed, and not over. */
  get confirmed(): number {
    return [...this.#states.values()].filter((state) => (state & (CONFIRMED | OVER)) === CONFIRMED).length
  }

  /** Intents that are neither confirmed nor over. */
  *doubtful(): Generator<number> {
    for (const [index, state] of this.#states) if ((state & (CONFIRMED | OVER)) === 0) yield index
  }

  /** The whole lines. @throws the OS error. */
  async bytes(): Promise<Buffer> {
    // A compaction that ends meanwhile leaves less in the file, not in what is read here.
    const { size } = this
    const bytes = await ifThere(() => readFile(this.path))
    return bytes?.subarray(0, size) ?? Buffer.alloc(0)
  }

  #set(index: number, bit: number): void {
    const state = this.#states.get(index)
    if (state !== undefined) this.#states.set(index, state | bit)
  }
}

export function placeOf({ number }: Segment, index: number): Place {
  return `${number}.${index}`
}

export function parsePlace(place: Place): { readonly number: number; readonly index: number } {
  const [number = '', index = ''] = place.split('.')
  return { number: Number(number), index: Number(index) }
}
