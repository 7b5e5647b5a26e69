import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { gapsOf, listed, type Span, sharesOf } from '../../client/admin/src/detail/shares.ts'

/** Spans in order, disjoint, and apart from each other. */
const spansWithin = (size: number): fc.Arbitrary<Span[]> =>
  fc.uniqueArray(fc.nat({ max: size }), { maxLength: 40 }).map((places) => {
    const sorted = places.sort((one, other) => one - other)
    return sorted.flatMap((start, index) => {
      const end = sorted[index + 1]
      return index % 2 === 0 && end !== undefined ? [{ start, end }] : []
    })
  })

const bytesIn = (spans: readonly Span[]): number => spans.reduce((sum, { start, end }) => sum + end - start, 0)

describe('The picture of received ranges', () => {
  it('counts the bytes of each cell, also of a shorter last one', () => {
    const spans = [
      { start: 0, end: 10 },
      { start: 15, end: 25 },
    ]
    expect([...sharesOf(spans, 25, 10)]).toEqual([1, 0.5, 1])
  })

  it('shows an empty file as received', () => {
    expect([...sharesOf([], 0, 10)]).toEqual([1])
  })

  it('shows as many bytes as there are, however they are cut', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 500 })
          .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 1, max: 600 }), spansWithin(size))),
        ([size, cell, spans]) => {
          const shares = [...sharesOf(spans, size, cell)]
          const bytes = shares.reduce((sum, share, i) => sum + share * (Math.min(size, (i + 1) * cell) - i * cell), 0)
          expect(bytes).toBeCloseTo(bytesIn(spans))
          expect(bytesIn(gapsOf(spans, size)) + bytesIn(spans)).toBe(size)
        },
      ),
    )
  })

  it('names runs of missing chunks, and says when there are more', () => {
    const gaps = gapsOf(
      [
        { start: 1, end: 2 },
        { start: 5, end: 6 },
      ],
      8,
    )
    expect(listed(gaps, 9)).toBe('0, 2–4, 6–7')
    expect(listed(gaps, 2)).toBe('0, 2–4, …')
  })
})
