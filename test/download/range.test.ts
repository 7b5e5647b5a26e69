import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { select } from '../../server/download/range.ts'

const validators = { etag: '"an-id-10"', lastModified: new Date('2026-11-23T08:09:10.567Z') }
const size = 10
const whole = { status: 200, start: 0, end: size }
const part = (start: number, end: number) => ({ status: 206, start, end })
const unsatisfiable = { status: 416 }

describe('A Range', () => {
  it.each([
    ['is absent', undefined, whole],
    ['is the first byte', 'bytes=0-0', part(0, 1)],
    ['is the last byte', 'bytes=9-9', part(9, 10)],
    ['is inside', 'bytes=2-5', part(2, 6)],
    ['is open at its end', 'bytes=5-', part(5, 10)],
    ['is open and starts at 0', 'bytes=0-', part(0, 10)],
    ['goes beyond the end', 'bytes=5-99', part(5, 10)],
    ['ends at a number beyond double precision', `bytes=5-${'9'.repeat(400)}`, part(5, 10)],
    ['is a suffix', 'bytes=-5', part(5, 10)],
    ['is a suffix as long as the file', 'bytes=-10', part(0, 10)],
    ['is a suffix longer than the file', 'bytes=-11', part(0, 10)],
    ['is a suffix beyond double precision', `bytes=-${'9'.repeat(400)}`, part(0, 10)],
    ['has its unit in capitals', 'BYTES=0-0', part(0, 1)],
    ['starts right after the last byte', 'bytes=10-', unsatisfiable],
    ['starts far after the last byte', 'bytes=99-100', unsatisfiable],
    ['starts at a number beyond double precision', `bytes=${'9'.repeat(400)}-`, unsatisfiable],
    ['is a suffix of no bytes', 'bytes=-0', unsatisfiable],
    ['ends before it starts', 'bytes=5-2', whole],
    ['ends before it starts, after the end of the file', 'bytes=50-20', whole],
    ['names two ranges', 'bytes=0-0,5-6', whole],
    ['names two ranges outside of the file', 'bytes=10-11,20-21', whole],
    ['has another unit', 'lines=0-1', whole],
    ['has no unit', '0-1', whole],
    ['has no numbers', 'bytes=-', whole],
    ['has nothing after the unit', 'bytes=', whole],
    ['has a negative start', 'bytes=--5', whole],
    ['has letters', 'bytes=a-b', whole],
    ['has a fraction', 'bytes=0.5-1', whole],
    ['has hexadecimal digits', 'bytes=0x0-0x1', whole],
    ['has three numbers', 'bytes=0-1-2', whole],
  ])('that %s is handled as in RFC 9110', (_situation, range, expected) => {
    expect(select({ range }, size, validators)).toEqual(expected)
  })
})

describe('An empty file', () => {
  it.each(['bytes=0-', 'bytes=0-0', 'bytes=-1', 'bytes=-0', 'bytes=5-'])('is sent whole to %s', (range) => {
    expect(select({ range }, 0, validators)).toEqual({ status: 200, start: 0, end: 0 })
  })
})

describe('A file of one byte', () => {
  it.each([
    ['bytes=0-0', part(0, 1)],
    ['bytes=-1', part(0, 1)],
    ['bytes=1-', unsatisfiable],
  ])('responds to %s', (range, expected) => {
    expect(select({ range }, 1, validators)).toEqual(expected)
  })
})

describe('An If-Range', () => {
  it.each([
    ['names the file', '"an-id-10"', part(2, 6)],
    ['names another file', '"another-10"', whole],
    ['names the file weakly', 'W/"an-id-10"', whole],
    ['lacks the quotes', 'an-id-10', whole],
    ['is the star, which is invalid here', '*', whole],
    ['has the same date', 'Mon, 23 Nov 2026 08:09:10 GMT', part(2, 6)],
    ['has the same date in the format of RFC 850', 'Monday, 23-Nov-26 08:09:10 GMT', part(2, 6)],
    ['has a later date', 'Mon, 23 Nov 2026 08:09:11 GMT', whole],
    ['has an earlier date', 'Mon, 23 Nov 2026 08:09:09 GMT', whole],
    ['has an invalid date', 'yesterday', whole],
  ])('that %s is handled as in RFC 9110', (_situation, ifRange, expected) => {
    expect(select({ range: 'bytes=2-5', ifRange }, size, validators)).toEqual(expected)
  })

  it('does not match a weak tag of the server', () => {
    const weak = { ...validators, etag: 'W/"an-id-10"' }
    expect(select({ range: 'bytes=2-5', ifRange: 'W/"an-id-10"' }, size, weak)).toEqual(whole)
  })

  it('has no meaning without a Range', () => {
    expect(select({ ifRange: '"another-10"' }, size, validators)).toEqual(whole)
  })

  it('turns even an unsatisfiable range into the whole file if it does not match', () => {
    expect(select({ range: 'bytes=99-', ifRange: '"another-10"' }, size, validators)).toEqual(whole)
  })
})

describe('Any Range', () => {
  /** Digits as in RFC 9110 §14.1.1: no sign, any leading zeros. */
  const position = fc.oneof(fc.nat(30), fc.maxSafeNat()).chain((at) => fc.constantFrom(`${at}`, `00${at}`))
  const length = fc.integer({ min: 1, max: 25 })

  /** The result of the rule for one range, with numbers of any size (§14.1.2). */
  function byTheRule(first: string, last: string, total: number) {
    const size = BigInt(total)
    if (first === '') {
      const suffix = BigInt(last)
      if (suffix === 0n) return unsatisfiable
      return part(Number(suffix > size ? 0n : size - suffix), total)
    }
    const start = BigInt(first)
    if (last !== '' && BigInt(last) < start) return { status: 200, start: 0, end: total }
    if (start >= size) return unsatisfiable
    return part(Number(start), last === '' || BigInt(last) >= size ? total : Number(BigInt(last)) + 1)
  }

  it('follows the grammar of RFC 9110', () => {
    const one = fc.tuple(fc.option(position, { nil: '' }), fc.option(position, { nil: '' }))
    fc.assert(
      fc.property(one, length, fc.constantFrom('bytes', 'Bytes'), ([first, last], total, unit) => {
        fc.pre(first !== '' || last !== '')
        expect(select({ range: `${unit}=${first}-${last}` }, total, validators)).toEqual(byTheRule(first, last, total))
      }),
      { numRuns: 1000 },
    )
  })

  it('selects existing bytes, or none', () => {
    const pieces = fc.constantFrom('bytes', '=', '-', ',', '0', '5', '99', ' ', '\t', 'x', '+', '1e3', '0x1', '９')
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces).map((list) => list.join('')),
      fc.array(pieces).map((list) => `bytes=${list.join('')}`),
    )
    fc.assert(
      fc.property(text, length, (range, total) => {
        const selection = select({ range }, total, validators)
        if (selection.status === 416) return
        expect(selection.start).toBeGreaterThanOrEqual(0)
        expect(selection.end).toBeLessThanOrEqual(total)
        expect(selection.end).toBeGreaterThan(selection.start)
        if (selection.status === 200) expect(selection).toEqual({ status: 200, start: 0, end: total })
      }),
      { numRuns: 1000 },
    )
  })
})
