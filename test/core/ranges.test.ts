import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  add,
  covers,
  missing,
  prefix,
  type Range,
  type Ranges,
  received,
  runEnd,
  total,
  union,
} from '../../server/core/ranges.ts'

const size = 60
const range = fc
  .tuple(fc.nat(size), fc.nat(size))
  .map(([a, b]): Range => ({ start: Math.min(a, b), end: Math.max(a, b) }))
const ranges = fc.array(range, { maxLength: 12 })

/** The same set as one flag per byte: a simple reference model. */
function bytesOf(list: readonly Range[]): boolean[] {
  return Array.from({ length: size }, (_, byte) => list.some((r) => r.start <= byte && byte < r.end))
}

function build(list: readonly Range[]): Ranges {
  return list.reduce<Ranges>(add, [])
}

describe('A set of byte ranges', () => {
  it('holds every added byte in sorted ranges that neither overlap nor touch', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        const set = build(list)
        expect(bytesOf(set)).toEqual(bytesOf(list))
        for (const [i, r] of set.entries()) {
          expect(r.start).toBeLessThan(r.end)
          expect(r.start).toBeGreaterThan(set[i - 1]?.end ?? -1)
        }
      }),
    )
  })

  it('is the same whether its ranges are added one by one or at once', () => {
    fc.assert(fc.property(ranges, (list) => expect(union(list)).toEqual(build(list))))
  })

  it('is not changed by adding to it', () => {
    const before = build([{ start: 0, end: 3 }])
    add(before, { start: 3, end: 5 })
    expect(before).toEqual([{ start: 0, end: 3 }])
  })

  it('splits any range into what is received and what is missing', () => {
    fc.assert(
      fc.property(ranges, range, (list, within) => {
        const set = build(list)
        const flags = bytesOf(set)
        const inside = bytesOf([within])
        expect(bytesOf(received(set, within))).toEqual(flags.map((flag, i) => flag && inside[i] === true))
        expect(bytesOf(missing(set, within))).toEqual(flags.map((flag, i) => !flag && inside[i] === true))
        expect(covers(set, within)).toBe(missing(set, within).length === 0)
      }),
    )
  })

  it('counts its bytes, its prefix, and the run at a position', () => {
    fc.assert(
      fc.property(ranges, fc.nat(size - 1), (list, position) => {
        const set = build(list)
        const flags = [...bytesOf(set), false]
        expect(total(set)).toBe(flags.filter((flag) => flag).length)
        expect(prefix(set)).toBe(flags.indexOf(false))
        expect(runEnd(set, position)).toBe(flags.indexOf(false, position))
      }),
    )
  })
})
