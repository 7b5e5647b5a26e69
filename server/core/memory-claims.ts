import type { Claim, Claims } from './claims.ts'
import { overlap, type Range, type Ranges } from './ranges.ts'

interface Waiter {
  readonly exclusive: boolean
  /** What can be granted now, or `undefined` if nothing can. */
  readonly grantable: (held: Iterable<Ranges>) => Ranges | undefined
  readonly grant: (ranges: Ranges) => void
}

interface Book {
  readonly held: Set<Ranges>
  readonly queue: Set<Waiter>
  exclusive: boolean
}

const EVERYTHING: Ranges = [{ start: 0, end: Number.MAX_SAFE_INTEGER }]

/** Claims within one process. */
export function memoryClaims(): Claims {
  const books = new Map<string, Book>()

  function bookOf(id: string): Book {
    const known = books.get(id)
    if (known !== undefined) return known
    const fresh: Book = { held: new Set(), queue: new Set(), exclusive: false }
    books.set(id, fresh)
    return fresh
  }

  function tryGrant(book: Book, waiter: Waiter): Ranges | undefined {
    if (book.exclusive) return undefined
    for (const earlier of book.queue) {
      if (earlier === waiter) break
      if (earlier.exclusive) return undefined
    }
    return waiter.grantable(book.held)
  }

  function hold(id: string, book: Book, ranges: Ranges, exclusive: boolean): Claim {
    if (ranges.length > 0) book.held.add(ranges)
    if (exclusive) book.exclusive = true
    let released = ranges.length === 0
    const release = (): void => {
      if (released) return
      released = true
      book.held.delete(ranges)
      if (exclusive) book.exclusive = false
      wake(id, book)
    }
    return { ranges, release }
  }

  function wake(id: string, book: Book): void {
    for (const waiter of book.queue) {
      const ranges = tryGrant(book, waiter)
      if (ranges === undefined) continue
      book.queue.delete(waiter)
      waiter.grant(ranges)
    }
    if (book.held.size === 0 && book.queue.size === 0) books.delete(id)
  }

  function ask(
    id: string,
    signal: AbortSignal,
    exclusive: boolean,
    grantable: (held: Iterable<Ranges>) => Ranges | undefined,
  ): Promise<Claim> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const book = bookOf(id)
      const giveUp = (): void => {
        book.queue.delete(waiter)
        wake(id, book)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        exclusive,
        grantable,
        grant: (ranges) => {
          signal.removeEventListener('abort', giveUp)
          resolve(hold(id, book, ranges, exclusive))
        },
      }
      signal.addEventListener('abort', giveUp, { once: true })
      book.queue.add(waiter)
      wake(id, book)
    })
  }

  return {
    whole: (id, want, signal) => ask(id, signal, false, (held) => wholly(want(), held)),
    leading: (id, want, signal) => ask(id, signal, false, (held) => freeBeginning(want(), held)),
    exclusive: (id, signal) => ask(id, signal, true, (held) => wholly(EVERYTHING, held)),
    tryExclusive: (id) => {
      const book = bookOf(id)
      if (book.held.size > 0 || book.queue.size > 0) return undefined
      return hold(id, book, EVERYTHING, true)
    },
  }
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
