import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Challenges } from '../../server/core/challenges.ts'
import { FileIndex } from '../../server/core/file-index.ts'
import { fingerprintOf, fingerprintOfBytes, samplesOf } from '../../server/core/fingerprint.ts'
import { proofOf, provingRanges } from '../../server/core/possession.ts'
import type { Range } from '../../server/core/ranges.ts'
import { contentOf, fingerprint, proof } from '../support/instant.ts'

const never = new AbortController().signal

async function* inTwo(content: Buffer, { start, end }: Range): AsyncGenerator<Buffer> {
  const middle = Math.floor((start + end) / 2)
  yield content.subarray(start, middle)
  yield content.subarray(middle, end)
}

describe('The fingerprint of a file', () => {
  it.each([0, 1, 131_071, 131_072, 131_073, 1_000_001])('of %i bytes is that of its documentation', async (length) => {
    const content = contentOf(length, 'fingerprint')
    expect(await fingerprintOf(length, (range) => inTwo(content, range))).toBe(fingerprint(content))
    expect(fingerprintOfBytes(content)).toBe(fingerprint(content))
  })

  it('has its beginning and its end, and at most 128 KiB of any file', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 }), (length) => {
        const samples = samplesOf(length)
        const bytes = samples.reduce((sum, { start, end }) => sum + end - start, 0)
        expect(bytes).toBe(Math.min(length, 131_072))
        if (length === 0) return
        expect([samples[0]?.start, samples.at(-1)?.end]).toEqual([0, length])
      }),
    )
  })
})

describe('The ranges of a proof', () => {
  it('lie in the file, in order, one in each of its parts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4 * 1024 * 1024 + 1, max: Number.MAX_SAFE_INTEGER }), (size) => {
        const ranges = provingRanges(randomBytes(32), size)
        expect(ranges).toHaveLength(256)
        const places = size - 16_384 + 1
        const isRight = ({ start, end }: Range, i: number): boolean =>
          end - start === 16_384 &&
          end <= size &&
          start >= Math.floor((i / 256) * places) - 1 &&
          start <= Math.ceil(((i + 1) / 256) * places)
        expect(ranges.every(isRight)).toBe(true)
      }),
    )
  })

  it('are the whole file up to 4 MiB', () => {
    expect(provingRanges(randomBytes(32), 4 * 1024 * 1024)).toEqual([{ start: 0, end: 4 * 1024 * 1024 }])
    expect(provingRanges(randomBytes(32), 1)).toEqual([{ start: 0, end: 1 }])
    expect(provingRanges(randomBytes(32), 0)).toEqual([])
  })

  it('meet every gap of two parts, wherever it is', () => {
    const size = 100 * 1024 * 1024
    const gap = (2 * size) / 256
    fc.assert(
      fc.property(fc.integer({ min: 0, max: size - gap }), (from) => {
        const ranges = provingRanges(randomBytes(32), size)
        expect(ranges.some(({ start, end }) => start < from + gap && end > from)).toBe(true)
      }),
    )
  })

  it('differ for each nonce', () => {
    const seen = Array.from({ length: 50 }, () => JSON.stringify(provingRanges(randomBytes(32), 1e9)))
    expect(new Set(seen).size).toBe(50)
  })
})

describe('A proof', () => {
  it.each([0, 1, 4_194_304, 4_194_305])('of %i bytes is that of its documentation', async (size) => {
    const content = contentOf(size, 'proof')
    const nonce = randomBytes(32)
    const ranges = provingRanges(nonce, size).map(({ start, end }) => [start, end] as const)
    const own = await proofOf(nonce, size, (range) => inTwo(content, range), never)
    expect(own.toString('hex')).toBe(proof({ nonce: nonce.toString('hex'), ranges }, content))
  })
})

describe('A challenge', () => {
  it('can be taken once, by its caller, and not for long', () => {
    let now = 0
    const challenges = new Challenges(() => now)
    const { id } = challenges.create('a', 1, 'f')
    expect(challenges.take(id, 'b')).toBeUndefined()
    expect(challenges.take(id, 'a')?.size).toBe(1)
    expect(challenges.take(id, 'a')).toBeUndefined()
    const late = challenges.create('a', 1, 'f').id
    now += challenges.lifetime
    expect(challenges.take(late, 'a')).toBeUndefined()
    expect(challenges.open).toBe(0)
  })

  it('that is never answered makes room: 64 of a caller are open, and 10,000 in all', () => {
    const challenges = new Challenges(() => 0)
    const first = challenges.create('other', 1, 'f').id
    const own = Array.from({ length: 10_000 }, () => challenges.create('flood', 1, 'f').id)
    expect(challenges.open).toBe(65)
    expect(challenges.take(own[0] ?? '', 'flood')).toBeUndefined()
    expect(challenges.take(own.at(-64) ?? '', 'flood')).toBeDefined()
    expect(challenges.take(first, 'other')).toBeDefined()
    for (let i = 0; i < 20_000; i++) challenges.create(`caller ${i}`, 1, 'f')
    expect(challenges.open).toBe(10_000)
  })
})

describe('The index of files', () => {
  const mark = (text: string): string => fingerprintOfBytes(Buffer.from(text))
  const file = (id: string, size = 1, text = 'a') => ({ id, size, fingerprint: mark(text) })

  it('finds files by scope, size, and fingerprint, newest first', () => {
    const index = new FileIndex()
    index.add('x', file('1'))
    index.add('x', file('2'))
    index.add('x', file('3', 1, 'b'))
    index.addOld('x', file('0'))
    index.add('y', file('4'))
    expect(index.find('x', 1, mark('a'))).toEqual(['2', '1', '0'])
    expect(index.find('x', 1, mark('b'))).toEqual(['3'])
    expect([index.find('x', 2, mark('a')), index.find('z', 1, mark('a'))]).toEqual([[], []])
    index.remove('x', file('1'))
    expect(index.find('x', 1, mark('a'))).toEqual(['2', '0'])
  })

  it('has a file once, however often it is added', () => {
    const index = new FileIndex()
    for (let i = 0; i < 3; i++) index.add('x', file('1'))
    index.addOld('x', file('1'))
    expect([index.find('x', 1, mark('a')), index.count]).toEqual([['1'], 1])
  })

  it('drops the oldest files when there are too many', () => {
    const index = new FileIndex(3)
    for (let i = 0; i < 10; i++) index.add('x', file(String(i), i))
    index.addOld('x', file('old'))
    expect([
      index.count,
      index.find('x', 9, mark('a')),
      index.find('x', 7, mark('a')),
      index.find('x', 6, mark('a')),
    ]).toEqual([3, ['9'], ['7'], []])
    const alike = new FileIndex()
    for (let i = 0; i < 100; i++) alike.add('x', file(String(i)))
    expect([alike.count, alike.find('x', 1, mark('a'))[0], alike.find('x', 1, mark('a')).length]).toEqual([
      64,
      '99',
      64,
    ])
  })
})
