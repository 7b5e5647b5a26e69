import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { Range } from '../../server/core/ranges.ts'
import type { ListOptions, ListPage, S3Port } from '../../server/s3/s3-port.ts'
import { Random } from '../support/random.ts'

const PART = 5 * 2 ** 20

/** Keys in the order in which S3 lists them: that of their bytes in UTF-8. */
const KEYS = ['-', '.b', '/a', '/b/c', '/b/d', '0', 'A & <B>', 'a"b\'c', 'ab+c%2F', '~', 'ä', '文件', '🙂.txt']

/** What the store expects of any S3. */
export function describePort(name: string, open: () => Promise<{ port: S3Port; close: () => Promise<void> }>): void {
  describe(`The port of ${name}`, () => {
    let port: S3Port
    let close: () => Promise<void>
    let folder: string
    let folders = 0

    beforeAll(async () => {
      ;({ port, close } = await open())
    })
    afterAll(() => close())
    beforeEach(() => {
      folder = `t${folders}/`
      folders += 1
    })

    async function bytesOf(key: string, range: Range): Promise<Buffer> {
      const chunks: Buffer[] = []
      for await (const chunk of port.read(key, range)) chunks.push(chunk)
      return Buffer.concat(chunks)
    }

    async function keysBelow(prefix: string, options?: ListOptions): Promise<readonly string[]> {
      return (await port.list(prefix, options)).objects.map(({ key }) => key.slice(prefix.length))
    }

    async function pages(delimiter?: string): Promise<readonly ListPage[]> {
      const found: ListPage[] = []
      for (let after: string | undefined; ; ) {
        const page = await port.list(folder, { after, delimiter })
        found.push(page)
        if (page.next === undefined) return found
        after = page.next
      }
    }

    it('returns what was put, with the time of S3', async () => {
      const before = await port.put(`${folder}a`, Buffer.from('one'))
      await port.put(`${folder}a`, Buffer.from('second'))
      const { found, date } = await port.get(`${folder}a`)
      expect(found?.body.toString()).toBe('second')
      expect(date).toBeGreaterThanOrEqual(before.date)
      expect(Math.abs((found?.lastModified ?? 0) - date)).toBeLessThan(5_000)
      expect((await port.head(`${folder}a`)).found?.size).toBe(6)
    })

    it('answers with its time that there is no object', async () => {
      const { date } = await port.put(`${folder}a`, Buffer.alloc(0))
      const answers = [await port.get(`${folder}b`), await port.head(`${folder}b`)]
      for (const answer of answers) {
        expect(answer.found).toBeUndefined()
        expect(answer.date).toBeGreaterThanOrEqual(date)
      }
    })

    it('keeps an empty object', async () => {
      await port.put(`${folder}a`, Buffer.alloc(0))
      expect((await port.get(`${folder}a`)).found?.body).toHaveLength(0)
    })

    it('keeps the description of an object', async () => {
      const options = {
        contentType: 'image/png',
        contentDisposition: `attachment; filename="a.png"; filename*=UTF-8''%E6%96%87.png`,
        metadata: { 'landfall-id': 'x1' },
      }
      await port.put(`${folder}a`, Buffer.from('a'), options)
      await port.copy(`${folder}a`, `${folder}b`)
      await port.copy(`${folder}a`, `${folder}c`, { metadata: { 'landfall-id': 'x2' } })
      const metadata = ['a', 'b', 'c'].map(async (name) => (await port.head(`${folder}${name}`)).found?.metadata)
      expect(await Promise.all(metadata)).toEqual(['x1', 'x1', 'x2'].map((id) => ({ 'landfall-id': id })))
    })

    it('lets one of many conditional puts win', async () => {
      const puts = Array.from({ length: 20 }, (_, i) =>
        port.put(`${folder}a`, Buffer.from(`${i}`), { ifAbsent: true }).then(
          () => i,
          (error: unknown) => error,
        ),
      )
      const results = await Promise.all(puts)
      const winners = results.filter((result) => typeof result === 'number')
      expect(winners).toHaveLength(1)
      expect((await port.get(`${folder}a`)).found?.body.toString()).toBe(`${winners[0]}`)
      for (const result of results) if (typeof result !== 'number') expect(result).toMatchObject({ outcome: 'exists' })
    })

    it('lets a conditional put win again after the object was removed', async () => {
      await port.put(`${folder}a`, Buffer.from('a'), { ifAbsent: true })
      await port.remove([`${folder}a`])
      await port.put(`${folder}a`, Buffer.from('b'), { ifAbsent: true })
      expect((await port.get(`${folder}a`)).found?.body.toString()).toBe('b')
    })

    it('reads ranges', async () => {
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
      await port.put(`${folder}a`, bytes)
      for (const range of [
        { start: 0, end: 300_000 },
        { start: 299_999, end: 300_000 },
        { start: 70_000, end: 200_000 },
        { start: 5, end: 5 },
      ])
        expect(await bytesOf(`${folder}a`, range)).toEqual(bytes.subarray(range.start, range.end))
    })

    it('says that an object to read is absent', async () => {
      await expect(bytesOf(`${folder}a`, { start: 0, end: 1 })).rejects.toMatchObject({ outcome: 'absent' })
    })

    it('refuses to read what an object does not have', async () => {
      await port.put(`${folder}a`, Buffer.from('abc'))
      await expect(bytesOf(`${folder}a`, { start: 0, end: 4 })).rejects.toMatchObject({ outcome: 'refused' })
      await expect(bytesOf(`${folder}a`, { start: 3, end: 4 })).rejects.toMatchObject({ outcome: 'refused' })
    })

    it('lists keys of any characters, in the order of their bytes', async () => {
      for (const key of new Random(1).shuffled(KEYS)) await port.put(`${folder}k${key}`, Buffer.from(key))
      expect(await keysBelow(`${folder}k`)).toEqual(KEYS)
      for (const key of KEYS) expect((await port.get(`${folder}k${key}`)).found?.body.toString()).toBe(key)
    })

    it('lists only keys after a given one', async () => {
      for (const key of KEYS) await port.put(`${folder}k${key}`, Buffer.alloc(1))
      for (const [i, key] of KEYS.entries())
        expect(await keysBelow(`${folder}k`, { after: `${folder}k${key}` })).toEqual(KEYS.slice(i + 1))
      expect(await keysBelow(`${folder}k`, { after: `${folder}k/b/` })).toEqual(KEYS.slice(3))
    })

    it('lists an object as soon as it was put, with its size and time', async () => {
      const { date } = await port.put(`${folder}a`, Buffer.alloc(77))
      const { objects } = await port.list(folder)
      expect(objects).toEqual([{ key: `${folder}a`, size: 77, lastModified: expect.any(Number) }])
      expect(Math.abs((objects[0]?.lastModified ?? 0) - date)).toBeLessThan(5_000)
    })

    it('lists more keys than one page has, and each common prefix once', async () => {
      const keys = Array.from({ length: 1_020 }, (_, i) => `${folder}${String(i).padStart(4, '0')}/x`)
      await inTurns([...keys, `${folder}0500.x`], (key) => port.put(key, Buffer.alloc(0)))
      const all = await pages()
      expect(all.length).toBeGreaterThan(1)
      const withFile = keys.toSpliced(500, 0, `${folder}0500.x`)
      expect(all.flatMap(({ objects }) => objects.map(({ key }) => key))).toEqual(withFile)
      const folders = await pages('/')
      expect(folders.flatMap(({ prefixes }) => prefixes)).toEqual(keys.map((key) => key.slice(0, -1)))
      expect(folders.flatMap(({ objects }) => objects.map(({ key }) => key))).toEqual([`${folder}0500.x`])
      await port.remove(withFile)
      expect((await port.list(folder)).objects).toEqual([])
    })

    it('removes objects, also those that do not exist', async () => {
      for (const key of KEYS) await port.put(`${folder}k${key}`, Buffer.alloc(0))
      await port.remove([`${folder}k~`])
      await port.remove([`${folder}none`])
      await port.remove([...KEYS, 'none'].map((key) => `${folder}k${key}`))
      expect(await keysBelow(folder)).toEqual([])
    })

    it('copies objects of any key', async () => {
      for (const key of KEYS) {
        await port.put(`${folder}k${key}`, Buffer.from(key))
        await port.copy(`${folder}k${key}`, `${folder}l${key}`)
        expect((await port.get(`${folder}l${key}`)).found?.body.toString()).toBe(key)
      }
    })

    it('says that the source of a copy is absent', async () => {
      await expect(port.copy(`${folder}a`, `${folder}b`)).rejects.toMatchObject({ outcome: 'absent' })
    })

    it('composes an object of ranges of others, in the order of their numbers', async () => {
      const source = `${folder}文 件+&`
      const bytes = Buffer.from(Array.from({ length: PART + 100 }, (_, i) => (i * i) % 253))
      await port.put(source, bytes)
      const options = { contentType: 'text/plain', metadata: { 'landfall-id': 'x' } }
      const uploadId = await port.createMultipart(`${folder}ü b`, options)
      const copy = (number: number, range: Range): Promise<string> =>
        port.copyPart({ key: `${folder}ü b`, uploadId, number, from: source, range })
      const last = await copy(3, { start: 10, end: 20 })
      const first = await copy(1, { start: 100, end: PART + 100 })
      const second = await copy(2, { start: 0, end: PART })
      expect((await port.head(`${folder}ü b`)).found).toBeUndefined()
      await port.complete(`${folder}ü b`, uploadId, [first, second, last])
      const composed = Buffer.concat([bytes.subarray(100), bytes.subarray(0, PART), bytes.subarray(10, 20)])
      const { found } = await port.head(`${folder}ü b`)
      expect(found).toMatchObject({ size: composed.length, metadata: { 'landfall-id': 'x' } })
      expect((await bytesOf(`${folder}ü b`, { start: 0, end: composed.length })).equals(composed)).toBe(true)
    })

    it('says what a part cannot be made of', async () => {
      await port.put(`${folder}a`, Buffer.alloc(10))
      const uploadId = await port.createMultipart(`${folder}b`)
      const part = { key: `${folder}b`, uploadId, number: 1, from: `${folder}a`, range: { start: 0, end: 10 } }
      await expect(port.copyPart({ ...part, from: `${folder}c` })).rejects.toMatchObject({ outcome: 'absent' })
      const longer = port.copyPart({ ...part, range: { start: 0, end: 11 } })
      await expect(longer).rejects.toMatchObject({ outcome: 'refused' })
      const etag = await port.copyPart(part)
      await port.abort(`${folder}b`, uploadId)
      await port.abort(`${folder}b`, uploadId)
      await expect(port.copyPart(part)).rejects.toMatchObject({ outcome: 'absent' })
      await expect(port.complete(`${folder}b`, uploadId, [etag])).rejects.toMatchObject({ outcome: 'absent' })
      expect((await port.head(`${folder}b`)).found).toBeUndefined()
    })

    it('refuses to complete with parts that do not exist', async () => {
      const uploadId = await port.createMultipart(`${folder}b`)
      const complete = port.complete(`${folder}b`, uploadId, ['"0cc175b9c0f1b6a831c399e269772661"'])
      await expect(complete).rejects.toMatchObject({ outcome: 'refused', code: 'InvalidPart' })
      await port.abort(`${folder}b`, uploadId)
    })
  })
}

/** Works for all items, some at a time. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values()
  const workers = Array.from({ length: 16 }, async () => {
    for (const item of left) await work(item)
  })
  await Promise.all(workers)
}
