import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  chunkCount,
  chunkRange,
  chunkSizeFrom,
  guessedRange,
  largestChunk,
  missingChunks,
  wholeChunks,
} from '../../legacy-adapter/chunk-layout.ts'
import { covers, type Ranges, union } from '../../server/core/ranges.ts'
import { atOnce } from '../support/at-once.ts'
import { MIB } from '../support/bytes.ts'

const MAX = Number.MAX_SAFE_INTEGER

/** The numbers in runs of chunks. */
function listed(runs: Ranges): number[] {
  return runs.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at))
}

test.each([
  [0, 5, 1],
  [0, 0, 1],
  [1, 5, 1],
  [5, 5, 1],
  [6, 5, 2],
  [12582912, 5 * MIB, 3],
  [30820, 10240, 4],
  [MAX, 1, MAX],
  [MAX, 2, 2 ** 52],
  [MAX, 3, 3002399751580331],
  [MAX, MAX - 1, 2],
])('A file of %d bytes in chunks of %d has %d chunks', (size, chunkSize, count) => {
  expect(chunkCount(size, chunkSize)).toBe(count)
})

test.each([
  [30820, 10240, 0, 0, 10240],
  [30820, 10240, 3, 30720, 30820],
  [30820, 10240, 4, 30820, 30820],
  [0, 0, 0, 0, 0],
  [MAX, 2 ** 52, 1, 2 ** 52, MAX],
  [MAX, MAX - 1, 99_999, MAX, MAX],
])('In a file of %d bytes in chunks of %d, chunk %d is [%d, %d)', (size, chunkSize, chunk, start, end) => {
  expect(chunkRange(size, chunkSize, chunk)).toEqual({ start, end })
})

describe('The chunk size from one chunk', () => {
  test.each([
    // The recorded uploads: 12 MiB by 5 MiB, the test file of 30,820 bytes, a recompressed JPEG
    [{ size: 12582912, chunks: 3, chunk: 0 }, 5242880, 5242880],
    [{ size: 12582912, chunks: 3, chunk: 1 }, 5242880, 5242880],
    [{ size: 12582912, chunks: 3, chunk: 2 }, 2097152, 5242880],
    [{ size: 30820, chunks: 4, chunk: 3 }, 100, 10240],
    [{ size: 922180, chunks: 4, chunk: 3 }, 580, 307200],
    // One piece
    [{ size: 18, chunks: 1, chunk: 0 }, 18, 18],
    [{ size: 18, chunks: 1, chunk: 0 }, 17, undefined],
    [{ size: 18, chunks: 1, chunk: 0 }, 0, undefined],
    [{ size: 0, chunks: 1, chunk: 0 }, 0, 0],
    [{ size: 0, chunks: 1, chunk: 0 }, 1, undefined],
    // Nothing that is cut can have empty chunks
    [{ size: 0, chunks: 2, chunk: 0 }, 0, undefined],
    [{ size: 0, chunks: 2, chunk: 1 }, 0, undefined],
    [{ size: 10, chunks: 2, chunk: 1 }, 0, undefined],
    [{ size: 10, chunks: 11, chunk: 0 }, 1, undefined],
    // Both ends of what two chunks of ten bytes can be
    [{ size: 10, chunks: 2, chunk: 0 }, 4, undefined],
    [{ size: 10, chunks: 2, chunk: 0 }, 5, 5],
    [{ size: 10, chunks: 2, chunk: 0 }, 9, 9],
    [{ size: 10, chunks: 2, chunk: 0 }, 10, undefined],
    [{ size: 10, chunks: 2, chunk: 1 }, 5, 5],
    [{ size: 10, chunks: 2, chunk: 1 }, 6, undefined],
    [{ size: 10, chunks: 2, chunk: 1 }, 1, 9],
    [{ size: 10, chunks: 2, chunk: 1 }, 11, undefined],
    // chunkSize 10000.5: the last chunk does not leave equal ones
    [{ size: 30820, chunks: 4, chunk: 3 }, 818, undefined],
    [{ size: 30820, chunks: 4, chunk: 0 }, 10000, 10000],
    [{ size: 30820, chunks: 4, chunk: 1 }, 10001, 10001],
    // A chunk that does not exist
    [{ size: 10, chunks: 2, chunk: 2 }, 5, undefined],
    [{ size: 10, chunks: 2, chunk: -1 }, 5, undefined],
    [{ size: 10, chunks: 0, chunk: 0 }, 10, undefined],
  ])('for %j with %d bytes is %p', (place, length, chunkSize) => {
    expect(chunkSizeFrom(place, length)).toBe(chunkSize)
  })
})

test.each([
  [{ size: 18, chunks: 1 }, 18],
  [{ size: 0, chunks: 1 }, 0],
  [{ size: 10 * MIB, chunks: 2 }, 10 * MIB - 1],
  [{ size: 10, chunks: 3 }, 4],
  [{ size: 11, chunks: 3 }, 5],
  [{ size: 5, chunks: 6 }, 0],
  [{ size: MAX, chunks: 2 }, MAX - 1],
])('The largest chunk of %j has %d bytes', (file, length) => {
  expect(largestChunk(file)).toBe(length)
})

describe('The list of received chunks', () => {
  const received: Ranges = [
    { start: 0, end: 10 },
    { start: 15, end: 31 },
    { start: 38, end: 42 },
  ]

  test.each([
    [42, 10, [0, 2, 4], [1, 3], 2],
    [42, 5, [0, 1, 3, 4, 5, 8], [2, 6, 7], 3],
    [42, 42, [], [0], 1],
    [42, 2, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 19, 20], [5, 6, 7], 7],
  ])('is correct for %d bytes in chunks of %d', (size, chunkSize, there, missing, total) => {
    expect(listed(wholeChunks(received, size, chunkSize))).toEqual(there)
    expect(missingChunks(received, size, chunkSize, 3)).toEqual({ missing, total })
  })

  test('is correct for nothing, everything, and an empty file', () => {
    expect(wholeChunks([], 30, 10)).toEqual([])
    expect(missingChunks([], 30, 10, 2)).toEqual({ missing: [0, 1], total: 3 })
    expect(listed(wholeChunks([{ start: 0, end: 25 }], 25, 10))).toEqual([0, 1, 2])
    expect(missingChunks([{ start: 0, end: 25 }], 25, 10, 2)).toEqual({ missing: [], total: 0 })
    expect(listed(wholeChunks([], 0, 0))).toEqual([0])
    expect(missingChunks([], 0, 0, 2)).toEqual({ missing: [], total: 0 })
  })

  test('contains every other of 600,000 chunks in linear time', async () => {
    const every = Array.from({ length: 300_000 }, (_, index) => ({ start: index * 20, end: index * 20 + 10 }))
    expect(await atOnce(() => wholeChunks(every, 6_000_000, 10))).toHaveLength(300_000)
    expect(await atOnce(() => missingChunks(every, 6_000_000, 10, 1000))).toMatchObject({ total: 300_000 })
    const none = await atOnce(() => missingChunks([], 2 ** 40, 1, 3))
    expect(none).toEqual({ missing: [0, 1, 2], total: 2 ** 40 })
  })
})

describe('Chunk layouts', () => {
  /** A file and a chunk size that cut it into a number of chunks that is worth walking through. */
  const cut = fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.maxSafeNat(), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([chunks, wide, part]) => {
      const chunkSize = Math.max(1, Math.floor(wide / chunks))
      return { chunkSize, size: chunkSize * (chunks - 1) + 1 + Math.floor((chunkSize - 1) * part) }
    })
  const small = fc.record({ size: fc.integer({ min: 1, max: 300 }), chunkSize: fc.integer({ min: 1, max: 310 }) })

  test('are disjoint chunks that cover the file, and each of them determines the chunk size', () => {
    fc.assert(
      fc.property(fc.oneof(cut, small), ({ size, chunkSize }) => {
        const chunks = chunkCount(size, chunkSize)
        let position = 0
        for (let chunk = 0; chunk < chunks; chunk++) {
          const { start, end } = chunkRange(size, chunkSize, chunk)
          expect(start).toBe(position)
          expect(end).toBeGreaterThan(start)
          position = end
          expect(chunkSizeFrom({ size, chunks, chunk }, end - start)).toBe(chunks === 1 ? size : chunkSize)
        }
        expect(position).toBe(size)
        expect(chunkRange(size, chunkSize, 0).end).toBeLessThanOrEqual(largestChunk({ size, chunks }))
      }),
    )
  })

  test('allow a length under one chunk size only, and none above the largest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 2, max: 12 }), (size, chunks) => {
        const sizes = Array.from({ length: size + 1 }, (_, s) => s + 1).filter((s) => chunkCount(size, s) === chunks)
        for (let chunk = 0; chunk < chunks; chunk++) {
          for (let length = 0; length <= size + 1; length++) {
            const fitting = sizes.filter((s) => {
              const range = chunkRange(size, s, chunk)
              return range.end - range.start === length
            })
            expect(fitting.length).toBeLessThanOrEqual(1)
            expect(chunkSizeFrom({ size, chunks, chunk }, length)).toBe(fitting[0])
          }
        }
        if (sizes.length > 0) expect(largestChunk({ size, chunks })).toBe(Math.max(...sizes))
      }),
    )
  })

  test('have received and missing chunks that agree with the ranges', () => {
    const range = fc.tuple(fc.nat(300), fc.nat(40)).map(([start, length]) => ({ start, end: start + length }))
    fc.assert(
      fc.property(small, fc.array(range), fc.nat(400), ({ size, chunkSize }, ranges, limit) => {
        const received = union(ranges.map((r) => ({ start: Math.min(r.start, size), end: Math.min(r.end, size) })))
        const all = Array.from({ length: chunkCount(size, chunkSize) }, (_, chunk) => chunk)
        const there = all.filter((chunk) => covers(received, chunkRange(size, chunkSize, chunk)))
        const missing = all.filter((chunk) => !there.includes(chunk))
        expect(listed(wholeChunks(received, size, chunkSize))).toEqual(there)
        expect(missingChunks(received, size, chunkSize, limit)).toEqual({
          missing: missing.slice(0, limit),
          total: missing.length,
        })
      }),
    )
  })
})

describe('The expected range of a chunk of unknown chunk size', () => {
  const place = (chunk: number) => ({ size: 2500, chunks: 3, chunk })

  test.each([
    ['follows a round length for chunk 0', place(0), [1002, 1000, 998], { start: 0, end: 1000 }],
    ['follows the longest possible length for chunk 0', place(0), [990, 992, 988], { start: 0, end: 992 }],
    ['follows the largest chunk size for chunk 0 of unknown length', place(0), [], { start: 0, end: 1249 }],
    ['follows a round length for chunk 1', place(1), [1002, 1000, 998], { start: 1000, end: 2000 }],
    ['follows the likeliest length for chunk 1', place(1), [990, 992, 988], { start: 990, end: 1980 }],
    ['follows a round chunk size for the last chunk', place(2), [502, 504, 500], { start: 2000, end: 2500 }],
    [
      'follows the only fitting length for the last chunk',
      { size: 2500, chunks: 4, chunk: 3 },
      [11, 13, 9],
      { start: 2487, end: 2500 },
    ],
    ['is unknown for a last chunk without a fitting length', { size: 2500, chunks: 4, chunk: 3 }, [11], undefined],
    ['is unknown for chunk 1 of unknown length', place(1), [], undefined],
  ])('%s', (_, chunk, lengths, range) => {
    expect(guessedRange(chunk, lengths)).toEqual(range)
  })
})
