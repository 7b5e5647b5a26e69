import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { lengthOf } from '../../server/core/ranges.ts'
import { cellEnd, cellSize, cellSizes, cellsOf, largestFile } from '../../server/s3/cells.ts'

const MIB = 1024 * 1024
const usual = fc.integer({ min: 5 * MIB, max: 32 * MIB })
const length = fc.oneof(
  fc.integer({ min: 1, max: largestFile(cellSizes(8 * MIB)) }),
  fc.integer({ min: 1, max: 200 * MIB }),
  fc.integer({ min: largestFile(cellSizes(8 * MIB)) - 100 * MIB, max: largestFile(cellSizes(8 * MIB)) }),
)
const chunkSize = fc.oneof(
  fc.integer({ min: 1, max: 200 * MIB }),
  fc.integer({ min: 1, max: 200 }).map((n) => n * MIB),
)

describe('the cells of a file', () => {
  it('are parts that S3 takes, for chunks of every size', () => {
    fc.assert(
      fc.property(length, chunkSize, usual, (bytes, chunk, size) => {
        checkParts(bytes, cellSize({ length: bytes, webUploader: { chunkSize: chunk } }, undefined, cellSizes(size)))
      }),
      // Large files at small part sizes have many cells.
      { numRuns: 300 },
    )
  })

  it('are parts that S3 takes, whatever the first request brings', () => {
    fc.assert(
      fc.property(length, fc.integer({ min: 1, max: 40 * MIB }), usual, (bytes, end, size) => {
        const facts = { term: 1, token: '0', index: 0, isLast: true, isCover: false, start: 0, name: '' }
        const first = { ...facts, end: Math.min(end, bytes) }
        checkParts(bytes, cellSize({ length: bytes }, first, cellSizes(size)))
      }),
      { numRuns: 300 },
    )
  })

  it('end at the end of a chunk, if chunks are not larger than a piece can be', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 * MIB }), usual, (chunk, size) => {
        const cell =
          cellSize({ length: 1000 * chunk, webUploader: { chunkSize: chunk } }, undefined, cellSizes(size)) ?? 0
        expect(cell % chunk).toBe(0)
      }),
    )
  })

  it('are not known before the first byte', () => {
    expect(cellSize({ length: null }, undefined, cellSizes(8 * MIB))).toBeUndefined()
  })

  it('end behind each of their positions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), usual, (at, size) => {
        const end = cellEnd(at, size)
        expect(end % size).toBe(0)
        expect(end).toBeGreaterThan(at)
        expect(end - at).toBeLessThanOrEqual(size)
      }),
    )
  })

  it('do not exist in an empty file', () => {
    expect(cellsOf(0, 8 * MIB)).toEqual([])
  })
})

/** What S3 demands of the parts of a multipart upload, and R2 of all but the last: that they are equal. */
function checkParts(bytes: number, size: number | undefined): void {
  if (size === undefined) throw new Error('The size of the cells is unknown.')
  expect(size).toBeLessThanOrEqual(32 * MIB)
  const parts = cellsOf(bytes, size)
  expect(parts.length).toBeLessThanOrEqual(10_000)
  expect(parts[0]?.start).toBe(0)
  expect(parts.at(-1)?.end).toBe(bytes)
  expect(parts.slice(1).every(({ start }, i) => start === parts[i]?.end)).toBe(true)
  const sizes = new Set(parts.slice(0, -1).map(lengthOf))
  expect(sizes.size).toBeLessThanOrEqual(1)
  for (const part of sizes) expect(part).toBeGreaterThanOrEqual(5 * MIB)
  expect(lengthOf(parts.at(-1) ?? { start: 0, end: 0 })).toBeLessThanOrEqual(size)
}
