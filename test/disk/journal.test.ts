import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { add, type Range, type Ranges, received, total, union } from '../../server/core/ranges.ts'
import { Journal } from '../../server/disk/journal.ts'
import { temporaryFolder } from '../support/folder.ts'

const BOOT = '0123456789abcdef0123456789abcdef'
const NEXT_BOOT = 'fedcba9876543210fedcba9876543210'
const NOTHING: Range = { start: 0, end: 0 }
/** The size of the header, and of each entry, in bytes. */
const SIZE = 32

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: string
beforeAll(async () => {
  folder = await temporaryFolder()
  file = path.join(folder.path, 'journal')
})
afterAll(() => folder.dispose())

const range = fc
  .tuple(fc.nat(1000), fc.integer({ min: 1, max: 100 }))
  .map(([start, length]): Range => ({ start, end: start + length }))
const ranges = fc.array(range, { minLength: 1, maxLength: 12 })

/** A journal with one entry for each range. */
async function write(list: readonly Range[]): Promise<Journal> {
  const journal = await Journal.create(file, BOOT, { received: [], synced: [] }, false)
  for (const one of list) await journal.append([one], false)
  return journal
}

async function load(boot = BOOT): Promise<Ranges | undefined> {
  const loaded = await Journal.load(file, boot, NOTHING)
  await loaded?.journal.close()
  return loaded?.content.received
}

describe('A journal', () => {
  it('returns what was appended', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, async (list) => {
        await (await write(list)).close()
        expect(await load()).toEqual(union(list))
      }),
    )
  })

  it('returns what was appended before any truncation, and accepts more', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, fc.nat(), range, async (list, cut, next) => {
        await (await write(list)).close()
        const bytes = await readFile(file)
        const length = cut % (bytes.length + 1)
        await writeFile(file, bytes.subarray(0, length))
        const loaded = await Journal.load(file, BOOT, NOTHING)
        if (length < SIZE) return expect(loaded).toBeUndefined()
        const left = union(list.slice(0, Math.floor(length / SIZE) - 1))
        expect(loaded?.content.received).toEqual(left)
        await loaded?.journal.append([next], false)
        await loaded?.journal.close()
        expect(await load()).toEqual(add(left, next))
      }),
    )
  })

  it('returns nothing false after damaged bytes, and all that was appended before them', async () => {
    const damage = fc.record({ at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 70 }) })
    await fc.assert(
      fc.asyncProperty(ranges, damage, range, async (list, { at, bytes: wrong }, next) => {
        await (await write(list)).close()
        const bytes = await readFile(file)
        const before = Buffer.from(bytes)
        const place = SIZE + (at % (bytes.length - SIZE))
        bytes.set(wrong.subarray(0, bytes.length - place), place)
        await writeFile(file, bytes)
        const first = bytes.findIndex((byte, i) => byte !== before[i])
        const left = union(first === -1 ? list : list.slice(0, Math.floor(first / SIZE) - 1))
        const loaded = await Journal.load(file, BOOT, NOTHING)
        expect(loaded?.content.received).toEqual(left)
        // Entries after the damage must not count again when the damaged one is overwritten.
        await loaded?.journal.append([next], false)
        await loaded?.journal.close()
        expect(await load()).toEqual(add(left, next))
      }),
    )
  })

  it('is ignored if its header is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, fc.nat(SIZE - 1), fc.integer({ min: 1, max: 255 }), async (list, at, change) => {
        await (await write(list)).close()
        const bytes = await readFile(file)
        bytes[at] = (bytes[at] ?? 0) ^ change
        await writeFile(file, bytes)
        expect(await load()).toBeUndefined()
      }),
    )
  })

  it('returns what was marked as synced by an earlier boot, and nothing that was not received', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, ranges, range, async (synced, later, elsewhere) => {
        const journal = await write(synced)
        await journal.mark(synced.length)
        for (const one of later) await journal.append([one], false)
        await journal.close()
        const loaded = await Journal.load(file, NEXT_BOOT, elsewhere)
        await loaded?.journal.close()
        expect(loaded?.content).toEqual({
          received: add(union(synced), elsewhere),
          synced: add(union(synced), elsewhere),
        })
        expect(await load(NEXT_BOOT)).toEqual(add(union(synced), elsewhere))
      }),
    )
  })

  it('is compacted when it has many entries, with the same content', async () => {
    const list = Array.from({ length: 400 }, (_, i): Range => ({ start: i * 10, end: i * 10 + 10 }))
    await (await write(list)).close()
    const long = (await readFile(file)).length
    expect(await load()).toEqual([{ start: 0, end: 4000 }])
    expect((await readFile(file)).length).toBeLessThan(long / 10)
    expect(total(received((await load()) ?? [], { start: 0, end: 5000 }))).toBe(4000)
  })
})
