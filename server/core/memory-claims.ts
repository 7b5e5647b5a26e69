import type { Claim, Claims } from './claims.ts'
import { overlap, type Range, type Ranges } from './ranges.ts'

interface Waiter {
  readonly exclusive: boolean
  /** What can be granted now, or `undefined` if nothing can. */
  readonly grantable: (held: Iterable<Ranges>) => Ranges | undefined
  readonly grant: (ranges: Ranges) => void
}

/** The claims of one upload. */
interface Book {
  readonly held: Set<Ranges>
  readonly queue: Set<Waiter>
  exclusive: boolean
}

const EVERYTHING: Ranges = [{ start: 0, end: Number.MAX_SAFE_INTEGER }]

/** Claims within one process. */
export class MemoryClaims implements Claims {
  readonly #books = new Map<string, Book>()

  whole(id: string, want: () => Ranges, signal: AbortSignal): Promise<Claim> {
    return this.#request(id, signal, false, (held) => wholly(want(), held))
  }

  leading(id: string, want: () => Range | undefined, signal: AbortSignal): Promise<Claim> {
    return this.#request(id, signal, false, (held) => freeBeginning(want(), held))
  }

  exclusive(id: string, signal: AbortSignal): Promise<Claim> {
    return this.#request(id, signal, true, (held) => wholly(EVERYTHING, held))
  }

  tryExclusive(id: string): Claim | undefined {
    const book = this.#bookOf(id)
    if (book.held.size > 0 || book.queue.size > 0) return undefined
    return this.#hold(id, book, EVERYTHING, true)
  }

  #bookOf(id: string): Book {
    const known = this.#books.get(id)
    if (known !== undefined) return known
    const fresh: Book = { held: new Set(), queue: new Set(), exclusive: false }
    this.#books.set(id, fresh)
    return fresh
  }

  #request(id: string, signal: AbortSignal, exclusive: boolean, grantable: Waiter['grantable']): Promise<Claim> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const book = this.#bookOf(id)
      const withdraw = (): void => {
        book.queue.delete(waiter)
        this.#wake(id, book)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        exclusive,
        grantable,
        grant: (ranges) => {
          signal.removeEventListener('abort', withdraw)
          resolve(this.#hold(id, book, ranges, exclusive))
        },
      }
      signal.addEventListener('abort', withdraw, { once: true })
      book.queue.add(waiter)
      this.#wake(id, book)
    })
  }

  #hold(id: string, book: Book, ranges: Ranges, exclusive: boolean): Claim {
    if (ranges.length > 0) book.held.add(ranges)
    if (exclusive) book.exclusive = true
    let released = ranges.length === 0
    const release = (): void => {
      if (released) return
      released = true
      book.held.delete(ranges)
      if (exclusive) book.exclusive = false
      this.#wake(id, book)
    }
    return { ranges, release }
  }

  /** Grants every claim whose turn has come. */
  #wake(id: string, book: Book): void {
    for (const waiter of book.queue) {
      const ranges = tryGrant(book, waiter)
      if (ranges === undefined) continue
      book.queue.delete(waiter)
      waiter.grant(ranges)
    }
    if (book.held.size === 0 && book.queue.size === 0) this.#books.delete(id)
  }
}

function tryGrant(book: Book, waiter: Waiter): Ranges | undefined {
  if (book.exclusive) return undefined
  for (const earlier of book.queue) {
    if (earlier === waiter) break
    if (earlier.exclusive) return undefined
  }
  return waiter.grantable(book.held)
}

function wholly(want: Ranges, held: Iterable<Ranges>): Ranges | undefined {
  for (const ranges of held) {
    if (ranges.some((h) => want.some((w) => overlap(h, w)))) return undefined
  }
  return want
}

function freeBeginning(want: Range | undefined, held: Iterable<Ranges>): Ranges | undefined {
  if (want === undefined) return []
  let end = want.end
  for (const ranges of held) {
    for (const h of ranges) {
      if (h.start <= want.start && want.start < h.end) return undefined
      if (h.start > want.start) end = Math.min(end, h.start)
    }
  }
  return [{ start: want.start, end }]
}
