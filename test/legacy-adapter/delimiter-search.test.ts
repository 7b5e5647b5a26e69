import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { DelimiterSearch } from '../../legacy-adapter/delimiter-search.ts'
import { cutAt } from '../support/array-source.ts'

const BOUNDARY = '--ab-a'
const DELIMITER = `\r\n--${BOUNDARY}`

/** Pushes pieces until the delimiter is found: what came before it, and what after. */
function searchAll(pieces: readonly Buffer[]): { data: Buffer; rest: Buffer | undefined } {
  const search = new DelimiterSearch(BOUNDARY)
  const data: Buffer[] = []
  for (const [index, piece] of pieces.entries()) {
    const searched = search.push(piece)
    data.push(...searched.data)
    if (searched.rest === undefined) continue
    return { data: Buffer.concat(data), rest: Buffer.concat([searched.rest, ...pieces.slice(index + 1)]) }
  }
  return { data: Buffer.concat(data), rest: undefined }
}

describe('A search in one piece', () => {
  test.each([
    ['', '', undefined],
    ['abc', 'abc', undefined],
    [DELIMITER, '', ''],
    [`${DELIMITER}--\r\n`, '', '--\r\n'],
    [`abc${DELIMITER}`, 'abc', ''],
    [`abc${DELIMITER}x${DELIMITER}y`, 'abc', `x${DELIMITER}y`],
    // What could still become the delimiter is held back, and no more
    ['abc\r', 'abc', undefined],
    ['abc\r\n----a', 'abc', undefined],
    ['abc\r\n----a\r', 'abc\r\n----a', undefined],
    ['abc\r\r\n', 'abc\r', undefined],
    ['abc\n----ab-a', 'abc\n----ab-a', undefined],
    ['abc\r\n---ab-a', 'abc\r\n---ab-a', undefined],
  ])('finds the delimiter in %j', (piece, data, rest) => {
    const searched = searchAll([Buffer.from(piece)])
    expect(searched.data.toString()).toBe(data)
    expect(searched.rest?.toString()).toBe(rest)
  })
})

test('A search returns views of its input', () => {
  const piece = Buffer.from(`abcdef${DELIMITER}xyz`)
  const { data, rest } = new DelimiterSearch(BOUNDARY).push(piece)
  expect([...data, rest].map((part) => part?.buffer === piece.buffer && part.byteOffset - piece.byteOffset)).toEqual([
    0,
    6 + DELIMITER.length,
  ])
})

describe('A search in several pieces', () => {
  /** Bodies made of beginnings of the delimiter, whole ones, and other bytes. */
  const body = fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.nat(DELIMITER.length).map((length) => DELIMITER.slice(0, length)) },
        { weight: 2, arbitrary: fc.constantFrom('\r', '\n', '-', '\r\n', '\r\r\n--', BOUNDARY, `\n--${BOUNDARY}`) },
        { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
      ),
    )
    .map((texts) => Buffer.from(texts.join('')))

  test('returns the same for every cut in two', () => {
    fc.assert(
      fc.property(body, (bytes) => {
        for (let place = 0; place <= bytes.length; place++) expectRight(bytes, cutAt(bytes, [place]))
      }),
    )
  })

  test('returns the same for single bytes and any cuts', () => {
    fc.assert(
      fc.property(body, fc.array(fc.nat(1000)), (bytes, places) => {
        expectRight(bytes, cutAt(bytes, places))
        expectRight(
          bytes,
          [...bytes].map((byte) => Buffer.of(byte)),
        )
      }),
      { numRuns: 1000 },
    )
  })

  function expectRight(bytes: Buffer, pieces: readonly Buffer[]): void {
    const { data, rest } = searchAll(pieces)
    const place = bytes.indexOf(DELIMITER)
    if (place === -1) {
      expect(rest).toBeUndefined()
      const held = bytes.subarray(data.length).toString('latin1')
      expect(data.equals(bytes.subarray(0, data.length))).toBe(true)
      expect(DELIMITER.startsWith(held)).toBe(true)
      expect(held.length).toBeLessThan(DELIMITER.length)
    } else {
      expect(data.equals(bytes.subarray(0, place))).toBe(true)
      expect(rest?.equals(bytes.subarray(place + DELIMITER.length))).toBe(true)
    }
  }
})
