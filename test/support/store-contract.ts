import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { UploadError } from '../../server/core/errors.ts'
import type { UploadRecord } from '../../server/core/record.ts'
import type { Count, Store, StoredUpload } from '../../server/core/store.ts'

/** A store that can be closed and reopened on the same data. */
export interface StoreUnderTest {
  store: Store
  /** Closes it as a stopping process does, and opens it again. */
  reopen(): Promise<void>
  dispose(): Promise<void>
}

export function recordOf(id: string, length: number | null): UploadRecord {
  return { id, length, metadata: { filename: 'a.txt' }, fileName: 'a.txt', createdAt: '2026-11-23T00:00:00.000Z' }
}

/** Puts text at a position, as one attempt. */
export async function put(upload: StoredUpload, start: number, content: string, count: Count): Promise<void> {
  const bytes = Buffer.from(content)
  const attempt = await upload.begin({ start, end: start + bytes.length }, count)
  await attempt.write([bytes])
  await attempt.commit()
}

async function unfinished(store: Store): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of store.unfinished()) ids.push(id)
  return ids
}

/** The contract of every implementation of `Store`. */
export function storeContract(make: () => Promise<StoreUnderTest>): void {
  describe('A store', () => {
    let under: StoreUnderTest
    beforeEach(async () => {
      under = await make()
    })
    afterEach(async () => {
      for (const upload of touched.splice(0)) await upload.release()
      await under.dispose()
    })
    const touched: StoredUpload[] = []

    async function create(record: UploadRecord): Promise<StoredUpload> {
      const upload = await under.store.create(record)
      touched.push(upload)
      return upload
    }

    async function opened(id: string): Promise<StoredUpload> {
      const found = await under.store.open(id)
      if (found.kind !== 'upload') throw new Error(`${id} is ${found.kind}`)
      touched.push(found.upload)
      return found.upload
    }

    it('has a new upload, empty, also after a reopen', async () => {
      await (await create(recordOf('new', 10))).release()
      await under.reopen()
      const upload = await opened('new')
      expect(upload.record).toMatchObject(recordOf('new', 10))
      expect([upload.received, upload.finished]).toEqual([[], false])
    })

    it('refuses an id that is in use, and leaves its upload unchanged', async () => {
      const upload = await create(recordOf('taken', 5))
      await put(upload, 0, 'hello', 'as-received')
      await expect(under.store.create(recordOf('taken', 7))).rejects.toMatchObject({ code: 'storage_error' })
      await upload.release()
      expect((await opened('taken')).record.length).toBe(5)
      expect((await opened('taken')).received).toEqual([{ start: 0, end: 5 }])
    })

    it('does not find an upload that was never created', async () => {
      expect(await under.store.open('nothing')).toEqual({ kind: 'unknown' })
      expect(await under.store.open('../records')).toEqual({ kind: 'unknown' })
    })

    it('counts bytes of a stream as they are committed', async () => {
      const upload = await create(recordOf('stream', 10))
      await put(upload, 0, 'hello', 'as-received')
      await put(upload, 5, 'wo', 'as-received')
      expect(upload.received).toEqual([{ start: 0, end: 7 }])
      await upload.release()
      await under.reopen()
      expect((await opened('stream')).received).toEqual([{ start: 0, end: 7 }])
    })

    it('counts nothing of an uncommitted attempt, also after a reopen', async () => {
      const upload = await create(recordOf('attempt', 10))
      await put(upload, 0, 'he', 'as-received')
      const attempt = await upload.begin({ start: 2, end: 10 }, 'when-verified')
      await attempt.write([Buffer.from('XXXXX')])
      expect(upload.received).toEqual([{ start: 0, end: 2 }])
      await upload.release()
      await under.reopen()
      expect((await opened('attempt')).received).toEqual([{ start: 0, end: 2 }])
    })

    it('accepts verified ranges in any order, next to a stream, and loses none', async () => {
      const upload = await create(recordOf('ranges', 11))
      await put(upload, 0, 'he', 'as-received')
      await put(upload, 9, 'ld', 'when-verified')
      await put(upload, 4, 'o w', 'when-verified')
      await put(upload, 2, 'll', 'as-received')
      expect(upload.received).toEqual([
        { start: 0, end: 7 },
        { start: 9, end: 11 },
      ])
      await upload.release()
      await under.reopen()
      const again = await opened('ranges')
      expect(again.received).toEqual(upload.received)
      await put(again, 7, 'or', 'when-verified')
      expect(await text(again.read({ start: 0, end: 11 }))).toBe('hello world')
    })

    it('counts the beginning of an attempt that ends early', async () => {
      const upload = await create(recordOf('early', 10))
      const attempt = await upload.begin({ start: 0, end: 10 }, 'when-verified')
      await attempt.write([Buffer.from('abc')])
      await attempt.commit()
      expect(upload.received).toEqual([{ start: 0, end: 3 }])
    })

    it('keeps concurrently written ranges apart', async () => {
      const upload = await create(recordOf('parallel', 26))
      const letters = [...'abcdefghijklmnopqrstuvwxyz']
      await Promise.all(letters.map((letter, i) => put(upload, i, letter, 'when-verified')))
      expect(upload.received).toEqual([{ start: 0, end: 26 }])
      expect(await text(upload.read({ start: 0, end: 26 }))).toBe(letters.join(''))
    })

    it('finishes a completely received upload, once and for all', async () => {
      const upload = await create(recordOf('done', 5))
      await put(upload, 0, 'hello', 'as-received')
      const reading = upload.read({ start: 0, end: 5 })
      await upload.finish()
      expect(upload.finished).toBe(true)
      expect(await text(reading)).toBe('hello')
      expect(await text(upload.read({ start: 1, end: 4 }))).toBe('ell')
      await upload.release()
      await under.reopen()
      const again = await opened('done')
      expect([again.finished, again.received]).toEqual([true, [{ start: 0, end: 5 }]])
      expect(await unfinished(under.store)).toEqual([])
    })

    it('creates a finished file at once from bytes in memory', async () => {
      const bytes = [Buffer.from('hel'), Buffer.from('lo')]
      const upload = await under.store.createFinished(recordOf('whole', 5), bytes)
      expect([upload.finished, upload.received]).toEqual([true, [{ start: 0, end: 5 }]])
      await under.reopen()
      const again = await opened('whole')
      expect([again.finished, again.received]).toEqual([true, [{ start: 0, end: 5 }]])
      expect(again.finishedAt).toEqual(upload.finishedAt)
      expect(await text(again.read({ start: 0, end: 5 }))).toBe('hello')
      expect(await unfinished(under.store)).toEqual([])
    })

    it('keeps what is decided on a whole file when its bytes are there', async () => {
      const record = recordOf('whole', 5)
      let path: string | undefined
      await under.store.createFinished(record, [Buffer.from('hello')], async () => {
        path = under.store.pathOf(record, false)
        if (path !== undefined) expect(await readFile(path, 'utf8')).toBe('hello')
        return { record: { ...record, answer: { body: 'thanks' } } }
      })
      await under.reopen()
      expect((await opened('whole')).record.answer).toEqual({ body: 'thanks' })
    })

    it('keeps a whole file that is refused as a failed upload', async () => {
      const record = recordOf('whole', 5)
      const failed = { code: 'rejected', message: 'No.' } as const
      const prepare = async () => ({ record: { ...record, failed } })
      const upload = await under.store.createFinished(record, [Buffer.from('hello')], prepare)
      expect([upload.finished, upload.received]).toEqual([false, [{ start: 0, end: 5 }]])
      await upload.quarantine()
      await upload.release()
      await under.reopen()
      const again = await opened('whole')
      expect([again.finished, again.record.failed]).toEqual([false, failed])
    })

    it.each(['the decision', 'what the commit waits for'])('has no whole file if %s fails', async (what) => {
      const record = recordOf('whole', 5)
      const fault = new UploadError('no_space', 'The disk is full.')
      const prepare = async () => {
        if (what === 'the decision') throw fault
        return { record, after: Promise.reject(fault) }
      }
      await expect(under.store.createFinished(record, [Buffer.from('hello')], prepare)).rejects.toBe(fault)
      expect(await under.store.open('whole')).toEqual({ kind: 'unknown' })
      await under.store.createFinished(record, [Buffer.from('hello')])
    })

    it.each(['unfinished', 'finished'])(
      'leaves an %s upload unchanged when a whole file is created with its id',
      async (how) => {
        const upload = await create(recordOf('taken', 5))
        await put(upload, 0, 'hello', 'as-received')
        if (how === 'finished') await upload.finish()
        await upload.release()
        const wanted = under.store.createFinished(recordOf('taken', 3), [Buffer.from('bye')])
        await expect(wanted).rejects.toMatchObject({ code: 'storage_error' })
        await under.reopen()
        const again = await opened('taken')
        expect([again.finished, again.record.length]).toEqual([how === 'finished', 5])
        expect(await text(again.read({ start: 0, end: 5 }))).toBe('hello')
      },
    )

    it('finishes an upload without bytes', async () => {
      const upload = await create(recordOf('empty', 0))
      await upload.finish()
      await upload.release()
      await under.reopen()
      const again = await opened('empty')
      expect([again.finished, again.received]).toEqual([true, []])
      expect(await text(again.read({ start: 0, end: 0 }))).toBe('')
    })

    it('updates a record atomically, one update after another', async () => {
      const upload = await create(recordOf('record', null))
      await Promise.all([
        upload.update((record) => ({ ...record, length: 10 })),
        upload.update((record) => ({ ...record, webUploader: { chunkSize: 3 } })),
      ])
      await upload.release()
      await under.reopen()
      expect((await opened('record')).record).toMatchObject({ length: 10, webUploader: { chunkSize: 3 } })
    })

    it('reports what an upload occupies, also by bytes that were refused, until it is removed', async () => {
      const upload = await create(recordOf('large', 3_000_000))
      const empty = await upload.occupied()
      const attempt = await upload.begin({ start: 0, end: 1_000_000 }, 'when-verified')
      await attempt.write([Buffer.alloc(1_000_000, 1)])
      const during = await upload.occupied()
      expect(during.bytes).toBeGreaterThanOrEqual(empty.bytes + 1_000_000)
      await attempt.discard()
      expect((await upload.occupied()).bytes).toBeLessThan(1_000_000)
      await put(upload, 0, 'x'.repeat(3_000_000), 'as-received')
      await upload.finish()
      const finished = await upload.occupied()
      expect(finished.bytes).toBeGreaterThanOrEqual(3_000_000)
      expect(finished.bytes).toBeLessThan(3_100_000)
      await under.reopen()
      const again = await opened('large')
      expect(await again.occupied()).toEqual(finished)
      await again.remove('deleted')
      expect(await again.occupied()).toEqual({ bytes: 0, files: 0 })
    })

    it('reports what is free', async () => {
      const { freeBytes, freeInodes } = await under.store.space()
      expect(freeBytes).toBeGreaterThan(0)
      expect(freeInodes).toBeGreaterThan(0)
    })

    it.each(['deleted', 'expired'] as const)(
      'knows the owner of an upload that was %s, also after a reopen',
      async (why) => {
        const owner = '0123456789abcdef'.repeat(2)
        await (await create({ ...recordOf('owned', 5), owner })).remove(why)
        await (await create(recordOf('unowned', 5))).remove(why)
        for (const reopen of [async () => undefined, () => under.reopen()]) {
          await reopen()
          expect(await under.store.open('owned')).toEqual({ kind: 'gone', owner })
          expect(await under.store.open('unowned')).toEqual({ kind: 'gone' })
        }
      },
    )

    it.each(['unfinished', 'finished'])('removes an upload that was %s, and reports it as gone', async (state) => {
      const upload = await create(recordOf('away', 5))
      await put(upload, 0, 'hello', 'when-verified')
      if (state === 'finished') await upload.finish()
      await upload.remove('deleted')
      await upload.remove('deleted')
      expect(await under.store.open('away')).toEqual({ kind: 'gone' })
      await under.reopen()
      expect(await under.store.open('away')).toEqual({ kind: 'gone' })
      expect(await unfinished(under.store)).toEqual([])
    })

    it('tells a reader who begins after the removal that the upload is gone', async () => {
      const upload = await create(recordOf('away', 5))
      await put(upload, 0, 'hello', 'as-received')
      await upload.finish()
      // A request has found the file, and has not opened it yet.
      const reading = upload.read({ start: 0, end: 5 })
      await upload.remove('deleted')
      await expect(text(reading)).rejects.toMatchObject({ code: 'gone' })
    })

    it('forgets a tombstone on request', async () => {
      // Other ids may never be used again.
      const [gone, kept] = ['0'.repeat(32), '1'.repeat(32)] as const
      for (const id of [gone, kept]) await (await create(recordOf(id, 5))).remove('deleted')
      await create(recordOf('there', 5))
      expect(await under.store.gone(new Date(Date.now() - 60_000))).toEqual([])
      expect([...(await under.store.gone(new Date(Date.now() + 60_000)))].sort()).toEqual([gone, kept])
      for (let i = 0; i < 2; i++) await under.store.forget(gone)
      expect(await under.store.open(gone)).toEqual({ kind: 'unknown' })
      expect(await under.store.open(kept)).toEqual({ kind: 'gone' })
      await create(recordOf(gone, 7))
      expect((await opened(gone)).record.length).toBe(7)
    })

    it('has no record of an upload that was removed during an update', async () => {
      for (let i = 0; i < 30; i++) {
        const upload = await create(recordOf(`g.race.${i}`, 5))
        const removed = upload.remove('deleted')
        for (let turn = 0; turn < i; turn++) await new Promise((resolve) => setImmediate(resolve))
        // It may be too late, but it must not revive the upload.
        await upload.update((record) => ({ ...record, webUploader: { chunkSize: 3 } })).catch(() => undefined)
        await removed
        expect(await under.store.open(`g.race.${i}`)).toEqual({ kind: 'gone' })
      }
      expect(await under.store.group('g')).toEqual([])
    })

    it('lists a group, without uploads of other groups and removed ones', async () => {
      for (const id of ['g.a.1', 'g.a.2', 'g.b.3', 'gg.a.4']) await (await create(recordOf(id, 5))).release()
      await (await opened('g.a.2')).remove('deleted')
      expect([...(await under.store.group('g'))].sort()).toEqual(['g.a.1', 'g.b.3'])
      expect(await under.store.group('other')).toEqual([])
    })

    it('lists the uploads of a name that changed last, without removed ones', async () => {
      for (const id of ['g.a.1', 'g.a.2', 'g.aa.3', 'g.b.4']) await (await create(recordOf(id, 5))).release()
      await (await opened('g.a.2')).remove('deleted')
      // A store may tell seconds apart, and no less.
      await pause(1_100)
      await under.store.createFinished(recordOf('g.a.5', 5), [Buffer.from('hello')])
      expect(await under.store.newest('g.a', 10)).toEqual(['g.a.1', 'g.a.5'])
      expect(await under.store.newest('g.a', 1)).toEqual(['g.a.5'])
      await (await opened('g.a.5')).remove('deleted')
      expect(await under.store.newest('g.a', 1)).toEqual(['g.a.1'])
      expect(await under.store.newest('g.c', 10)).toEqual([])
    })

    describe('that creates an upload from a finished one', () => {
      /** A finished upload with this content. */
      async function file(id: string, content: string): Promise<StoredUpload> {
        return under.store.createFinished(recordOf(id, content.length), [Buffer.from(content)])
      }

      async function copyOf(source: StoredUpload, id: string): Promise<StoredUpload> {
        const copy = await under.store.createFrom(recordOf(id, source.record.length), source)
        touched.push(copy)
        return copy
      }

      it('has all of its bytes, unfinished and finished, also after a reopen', async () => {
        const copy = await copyOf(await file('source', 'hello'), 'copy')
        expect([copy.finished, copy.received]).toEqual([false, [{ start: 0, end: 5 }]])
        expect(await text(copy.read({ start: 1, end: 4 }))).toBe('ell')
        await copy.release()
        await under.reopen()
        const again = await opened('copy')
        expect([again.finished, again.received]).toEqual([false, [{ start: 0, end: 5 }]])
        expect(await text(again.read({ start: 0, end: 5 }))).toBe('hello')
        expect(await unfinished(under.store)).toEqual(['copy'])
        await again.seal()
        await again.finish()
        const { finishedAt } = again
        await again.release()
        await under.reopen()
        const finished = await opened('copy')
        expect([finished.finished, finished.record.fileName, finished.finishedAt]).toEqual([true, 'a.txt', finishedAt])
        expect(await text(finished.read({ start: 0, end: 5 }))).toBe('hello')
        expect(await unfinished(under.store)).toEqual([])
      })

      it('keeps the bytes of each when the other is removed', async () => {
        const source = await file('source', 'hello')
        for (const id of ['first', 'second']) await (await copyOf(source, id)).finish()
        await (await opened('first')).remove('deleted')
        expect(await text(source.read({ start: 0, end: 5 }))).toBe('hello')
        await source.remove('deleted')
        expect(await text((await opened('second')).read({ start: 0, end: 5 }))).toBe('hello')
        const third = await copyOf(await opened('second'), 'third')
        await third.finish()
        expect(await text(third.read({ start: 0, end: 5 }))).toBe('hello')
      })

      it('leaves the bytes of the source alone when the copy fails or is rejected', async () => {
        const source = await file('source', 'hello')
        for (const code of ['digest_mismatch', 'rejected'] as const) {
          const copy = await copyOf(source, code)
          await copy.fail({ code, message: 'No.' })
          await (code === 'rejected' ? copy.quarantine() : copy.abandon())
          await copy.release()
          expect(await text(source.read({ start: 0, end: 5 }))).toBe('hello')
        }
        await under.reopen()
        expect(await text((await opened('source')).read({ start: 0, end: 5 }))).toBe('hello')
        expect((await opened('digest_mismatch')).record.failed?.code).toBe('digest_mismatch')
      })

      it('copies a file without bytes', async () => {
        const copy = await copyOf(await file('source', ''), 'copy')
        await copy.finish()
        await under.reopen()
        expect((await opened('copy')).finished).toBe(true)
      })

      it('refuses a source that is gone, and one of another length, and creates nothing', async () => {
        const source = await file('source', 'hello')
        await expect(under.store.createFrom(recordOf('longer', 6), source)).rejects.toMatchObject({ code: 'not_found' })
        await (await opened('source')).remove('deleted')
        await expect(under.store.createFrom(recordOf('late', 5), source)).rejects.toMatchObject({ code: 'not_found' })
        for (const id of ['longer', 'late']) expect(await under.store.open(id)).toEqual({ kind: 'unknown' })
      })

      it('refuses an id that is in use', async () => {
        const source = await file('source', 'hello')
        await put(await create(recordOf('taken', 3)), 0, 'abc', 'as-received')
        await expect(under.store.createFrom(recordOf('taken', 5), source)).rejects.toMatchObject({
          code: 'storage_error',
        })
        expect(await text((await opened('taken')).read({ start: 0, end: 3 }))).toBe('abc')
      })
    })

    describe('whose upload absorbs a part', () => {
      /** A complete part; some of its bytes arrived ahead of others. */
      async function part(id: string, content: string): Promise<StoredUpload> {
        const upload = await create({ ...recordOf(id, content.length), partial: true, final: 'final' })
        await put(upload, 1, content.slice(1), 'when-verified')
        await put(upload, 0, content.slice(0, 1), 'when-verified')
        return upload
      }

      async function ids(): Promise<readonly string[]> {
        return (await unfinished(under.store)).sort()
      }

      it('has the bytes of the part, which stays complete without them, also after a reopen', async () => {
        const first = await part('first', 'hello')
        const final = await create(recordOf('final', 11))
        await final.absorb(first, 0)
        expect([final.received, final.finished]).toEqual([[{ start: 0, end: 5 }], false])
        expect([first.received, first.record.joined]).toEqual([[{ start: 0, end: 5 }], true])
        for (const upload of [first, final]) await upload.release()
        await under.reopen()
        expect(await ids()).toEqual(['final'])
        expect([(await opened('first')).received, (await opened('first')).record.joined]).toEqual([
          [{ start: 0, end: 5 }],
          true,
        ])
        const again = await opened('final')
        expect(again.received).toEqual([{ start: 0, end: 5 }])
        await put(again, 5, ' world', 'as-received')
        await again.finish()
        expect(await text(again.read({ start: 0, end: 11 }))).toBe('hello world')
      })

      it('absorbs a part that a crash left marked as joined, but with its bytes', async () => {
        await (await part('first', 'hello')).update((record) => ({ ...record, joined: true }))
        await (await create(recordOf('final', 5))).release()
        for (const upload of touched.splice(0)) await upload.release()
        await under.reopen()
        const first = await opened('first')
        expect(await text(first.read({ start: 0, end: 5 }))).toBe('hello')
        const final = await opened('final')
        expect(final.received).toEqual([])
        await final.absorb(first, 0)
        await final.finish()
        expect(await text(final.read({ start: 0, end: 5 }))).toBe('hello')
      })

      it('does not interrupt a reader of the part', async () => {
        const first = await part('first', 'hello')
        const final = await create(recordOf('final', 11))
        const reading = first.read({ start: 0, end: 5 })[Symbol.asyncIterator]()
        const { value } = await reading.next()
        await final.absorb(first, 0)
        const rest = await text({ [Symbol.asyncIterator]: () => reading })
        expect(`${value}${rest}`).toBe('hello')
      })

      it('keeps the bytes when the part discards its own or is removed', async () => {
        const first = await part('first', 'hello')
        const final = await create(recordOf('final', 11))
        await final.absorb(first, 0)
        await first.discardBytes()
        expect(await text(final.read({ start: 0, end: 5 }))).toBe('hello')
        await first.remove('deleted')
        expect(await under.store.open('first')).toEqual({ kind: 'gone' })
        expect(await text(final.read({ start: 0, end: 5 }))).toBe('hello')
      })

      it('discards the bytes of a part repeatedly, and keeps it complete', async () => {
        const second = await part('second', 'world')
        for (let i = 0; i < 2; i++) {
          await second.discardBytes()
          expect([second.received, second.record.joined]).toEqual([[{ start: 0, end: 5 }], true])
        }
        await under.reopen()
        expect(await ids()).toEqual([])
        const again = await opened('second')
        expect([again.received, again.finished, again.record]).toEqual([[{ start: 0, end: 5 }], false, second.record])
        await again.discardBytes()
        await again.remove('deleted')
        await under.reopen()
        expect(await under.store.open('second')).toEqual({ kind: 'gone' })
      })

      it('discards the bytes of a part that a crash left marked as joined', async () => {
        const second = await part('second', 'world')
        await second.update((record) => ({ ...record, joined: true }))
        await second.release()
        await under.reopen()
        await (await opened('second')).discardBytes()
        expect(await ids()).toEqual([])
        expect((await opened('second')).received).toEqual([{ start: 0, end: 5 }])
      })
    })

    it('returns the time at which the last byte of an unfinished upload arrived', async () => {
      const before = new Date(Date.now() - 1000)
      const upload = await create(recordOf('when', 5))
      await put(upload, 3, 'lo', 'when-verified')
      expect(await unfinished(under.store)).toEqual(['when'])
      const found = await under.store.lastChange('when')
      expect(found.getTime()).toBeGreaterThan(before.getTime())
      // A store may have another clock, and count only seconds.
      expect(Math.abs((await upload.lastChange()).getTime() - found.getTime())).toBeLessThan(2000)
    })

    it('returns the time at which an upload finished, and the epoch for an unknown one', async () => {
      const upload = await create(recordOf('landed', 5))
      await put(upload, 0, 'hello', 'when-verified')
      const before = new Date(Date.now() - 1000)
      await upload.finish()
      expect((await under.store.lastChange('landed')).getTime()).toBeGreaterThan(before.getTime())
      expect(await under.store.lastChange('unknown')).toEqual(new Date(0))
    })
  })
}
