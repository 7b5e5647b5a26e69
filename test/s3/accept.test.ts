import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { covers, overlap, type Range, total } from '../../server/core/ranges.ts'
import { accept, type ListedPiece } from '../../server/s3/accept.ts'
import { type Piece, pieceName } from '../../server/s3/names.ts'
import { PieceMap } from '../../server/s3/piece-map.ts'

const LENGTH = 16

/** Bytes of one source. With `landed` = all pieces but the last, or fewer, it never counts. */
interface AttemptStep {
  readonly kind: 'attempt'
  readonly start: number
  readonly lengths: readonly number[]
  /** How many of its pieces S3 gets; the last one only after the others. */
  readonly landed: number
  /** Whether the answer to the last PUT, or to the check after it, is lost. */
  readonly isUnanswered: boolean
}

type Step =
  | AttemptStep
  | { readonly kind: 'cover'; readonly range: Range; readonly outcome: 'confirmed' | 'landed' | 'lost' }
  /** Some of the deletions that were decided on are applied. */
  | { readonly kind: 'delete'; readonly which: number }
  /** A process that was stopped writes in an earlier term. */
  | { readonly kind: 'stray'; readonly range: Range; readonly isCover: boolean }
  | { readonly kind: 'crash' }

const range = fc
  .tuple(fc.nat(LENGTH - 1), fc.integer({ min: 1, max: LENGTH }))
  .map(([start, length]) => ({ start, end: Math.min(LENGTH, start + length) }))

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('attempt' as const),
      start: fc.nat(LENGTH - 1),
      lengths: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
      landed: fc.oneof(fc.constant(3), fc.nat(3)),
      isUnanswered: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('cover' as const),
      range,
      outcome: fc.constantFrom('confirmed', 'confirmed', 'landed', 'lost'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), which: fc.nat(255) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stray' as const), range, isCover: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'crash' as const }) },
)

/** An upload whose writer obeys the rules, and the objects that S3 has of it. */
class History {
  readonly #listed = new Map<string, ListedPiece>()
  #map = new PieceMap([])
  #manifest: ReadonlySet<string> = new Set()
  #base = 1
  #term = 1
  #tokens = 0
  /** Decided, and maybe not applied yet. */
  #deletions: Piece[] = []
  #acknowledged = new PieceMap([])

  run(next: Step): void {
    if (next.kind === 'attempt') this.#attempt(next)
    else if (next.kind === 'cover') this.#cover(next.range, next.outcome)
    else if (next.kind === 'delete') this.#applyDeletions(next.which)
    else if (next.kind === 'stray') this.#stray(next.range, next.isCover)
    else this.crash()
  }

  /** Another process opens the upload. */
  crash(): void {
    const listed = [...this.#listed.values()]
    const { pieces, received, void: useless } = accept(listed, this.#base, this.#manifest)
    for (const known of this.#acknowledged.received) expect(covers(received, known)).toBe(true)
    expect(pieces.some(({ name }) => useless.includes(name))).toBe(false)
    this.#map = new PieceMap(pieces)
    // It reports what it has found.
    this.#acknowledged = new PieceMap(pieces)
    this.#manifest = new Set(pieces.map(({ name }) => name))
    this.#term += 1
    this.#base = this.#term
    this.#deletions = [
      ...this.#deletions,
      ...listed.map(({ piece }) => piece).filter(({ name }) => useless.includes(name)),
    ]
  }

  #attempt({ start, lengths, landed, isUnanswered }: AttemptStep): void {
    const token = this.#newToken()
    const pieces: Piece[] = []
    let position = start
    for (const [index, length] of lengths.entries()) {
      const facts = { term: this.#term, token, index, isLast: index === lengths.length - 1, isCover: false }
      const whole = { ...facts, start: position, end: position + length }
      pieces.push({ ...whole, name: pieceName(whole) })
      position += length
    }
    // The core never writes where bytes are.
    if (pieces.some((piece) => this.#map.received.some((known) => overlap(known, piece)))) return
    for (const piece of pieces.slice(0, landed)) this.#store(piece)
    if (landed < pieces.length) return
    if (isUnanswered) this.crash()
    else {
      this.#map.add(pieces)
      this.#acknowledged.add(pieces)
    }
  }

  #cover(wanted: Range, outcome: 'confirmed' | 'landed' | 'lost'): void {
    if (!covers(this.#map.received, wanted)) return
    const facts = { term: this.#term, token: this.#newToken(), index: 0, isLast: true, isCover: true, ...wanted }
    const cover = { ...facts, name: pieceName(facts) }
    if (outcome !== 'lost') this.#store(cover)
    if (outcome !== 'confirmed') return
    this.#map.add([cover])
    const before = total(this.#map.received)
    this.#deletions = [...this.#deletions, ...this.#map.takeCovered()]
    expect(total(new PieceMap(this.#map.all).received)).toBe(before)
  }

  #applyDeletions(which: number): void {
    const some = this.#deletions.filter((_, i) => (which & (1 << (i % 8))) !== 0)
    for (const { name } of some) this.#listed.delete(name)
    this.#deletions = this.#deletions.filter((piece) => !some.includes(piece))
  }

  #stray(wanted: Range, isCover: boolean): void {
    if (this.#term === 1) return
    const facts = { term: this.#term - 1, token: this.#newToken(), index: 0, isLast: true, isCover, ...wanted }
    this.#store({ ...facts, name: pieceName(facts) })
  }

  #store(piece: Piece): void {
    this.#listed.set(piece.name, { piece, size: piece.end - piece.start })
  }

  #newToken(): string {
    this.#tokens += 1
    // Names of later attempts may come before those of earlier ones.
    return ((this.#tokens * 7919) % 65_521).toString(16).padStart(16, '0')
  }
}

describe('the pieces that count', () => {
  it('have every acknowledged byte, whatever was lost, deleted, or written late', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const history = new History()
        for (const next of steps) history.run(next)
        history.crash()
      }),
      { numRuns: 3000 },
    )
  })

  it('never include a part of an attempt, or a piece that was cut off', () => {
    const piece = pieceOf({ token: 'a', index: 0, isLast: false, start: 0, end: 4 })
    const last = pieceOf({ token: 'a', index: 1, isLast: true, start: 4, end: 8 })
    expect(accept([listed(piece)], 1, new Set()).received).toEqual([])
    expect(accept([listed(last)], 1, new Set()).received).toEqual([])
    expect(accept([listed(piece), { piece: last, size: 3 }], 1, new Set()).received).toEqual([])
    expect(accept([listed(piece), listed(last)], 1, new Set()).received).toEqual([{ start: 0, end: 8 }])
  })

  it('are never chosen from two contents of one place', () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        fc.pre(overlap(a, b))
        const pieces = [pieceOf({ token: 'a', ...a }), pieceOf({ token: 'b', ...b })]
        expect(() => accept(pieces.map(listed), 1, new Set())).toThrow('Stored bytes of this upload are missing.')
        const [first] = pieces
        const cover = pieceOf({ token: 'c', isCover: true, start: 0, end: LENGTH })
        expect(first).toBeDefined()
        expect(accept([...pieces, cover].map(listed), 1, new Set()).pieces).toEqual([cover])
      }),
    )
  })

  it('must have every byte that counted when the term began', () => {
    const counted = pieceOf({ token: 'a', start: 0, end: 4 })
    expect(() => accept([], 2, new Set([counted.name]))).toThrow('Stored bytes of this upload are missing.')
    expect(accept([], 2, new Set([counted.name]), true).received).toEqual([])
  })

  it('are not those of an earlier term that are missing in the manifest', () => {
    const stray = pieceOf({ token: 'a', start: 0, end: 4 })
    expect(accept([listed(stray)], 2, new Set())).toMatchObject({ pieces: [], void: [stray.name] })
  })
})

function pieceOf(
  facts: Partial<Piece> & { readonly token: string; readonly start: number; readonly end: number },
): Piece {
  const whole = { term: 1, index: 0, isLast: true, isCover: false, ...facts, token: facts.token.padStart(16, '0') }
  return { ...whole, name: pieceName(whole) }
}

function listed(piece: Piece): ListedPiece {
  return { piece, size: piece.end - piece.start }
}
