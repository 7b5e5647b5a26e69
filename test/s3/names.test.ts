import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { claimName, manifestName, parseName, pieceName, recordName } from '../../server/s3/names.ts'

const term = fc.integer({ min: 1, max: 99_999_999 })
const sequence = fc.integer({ min: 0, max: 999_999 })
const position = fc.integer({ min: 0, max: 2 ** 49 })

const piece = fc
  .record({
    term,
    token: fc.stringMatching(/^[0-9a-f]{16}$/),
    index: fc.integer({ min: 0, max: 100_000 }),
    isLast: fc.boolean(),
    isCover: fc.boolean(),
    start: position,
    length: fc.integer({ min: 1, max: 2 ** 40 }),
  })
  .map(({ length, ...facts }) => ({ ...facts, end: facts.start + length }))

describe('the name of an object of an unfinished upload', () => {
  it('says everything about a piece', () => {
    fc.assert(
      fc.property(piece, (facts) => {
        const name = pieceName(facts)
        expect(parseName(name)).toEqual({ kind: 'piece', piece: { ...facts, name } })
      }),
    )
  })

  it('says which term a claim, record, or manifest is of', () => {
    fc.assert(
      fc.property(term, sequence, (number, count) => {
        expect(parseName(claimName(number))).toEqual({ kind: 'claim', term: number })
        expect(parseName(manifestName(number))).toEqual({ kind: 'manifest', term: number })
        expect(parseName(recordName(number, count))).toEqual({ kind: 'record', term: number, sequence: count })
      }),
    )
  })

  it('is nothing else', () => {
    fc.assert(
      fc.property(piece, fc.string({ minLength: 1, maxLength: 3 }), (facts, more) => {
        const name = pieceName(facts)
        expect(parseName(`${more}${name}`)).toBeUndefined()
        expect(parseName(`${name}.${more}`)).toBeUndefined()
      }),
    )
    const empty = { term: 1, token: '0123456789abcdef', index: 0, isLast: true, isCover: false, start: 5, end: 5 }
    expect(parseName(pieceName(empty))).toBeUndefined()
  })

  it('sorts claims before everything else, by term', () => {
    fc.assert(
      fc.property(term, term, sequence, piece, (a, b, count, facts) => {
        expect(Math.sign(compare(claimName(a), claimName(b)))).toBe(Math.sign(a - b))
        for (const other of [recordName(b, count), manifestName(b), pieceName(facts)]) {
          expect(compare(claimName(a), other)).toBe(-1)
        }
      }),
    )
  })

  it('sorts records by term and sequence number, and pieces by term', () => {
    fc.assert(
      fc.property(term, term, sequence, sequence, piece, (a, b, m, n, facts) => {
        expect(compare(recordName(a, m), recordName(b, n))).toBe(Math.sign(a - b || m - n))
        if (a !== b)
          expect(compare(pieceName({ ...facts, term: a }), pieceName({ ...facts, term: b }))).toBe(Math.sign(a - b))
      }),
    )
  })
})

/** The order of S3: that of bytes. */
function compare(a: string, b: string): number {
  return Buffer.from(a).compare(Buffer.from(b))
}
