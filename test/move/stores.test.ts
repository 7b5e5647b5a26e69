/** Moves between stores: every state of an upload, and interruptions at every call. */
import { randomBytes, randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Depot } from '../../server/core/depot.ts'
import { UploadError } from '../../server/core/errors.ts'
import type { Range } from '../../server/core/ranges.ts'
import type { UploadRecord } from '../../server/core/record.ts'
import type { StoredUpload } from '../../server/core/store.ts'
import { DiskDepot } from '../../server/disk/disk-depot.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { Layout } from '../../server/disk/layout.ts'
import { moveAll } from '../../server/move/move.ts'
import { Report } from '../../server/move/report.ts'
import { systemClock } from '../../server/s3/clock.ts'
import type { Environment } from '../../server/s3/environment.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import { S3Depot } from '../../server/s3/s3-depot.ts'
import { S3Error } from '../../server/s3/s3-error.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { Bucket, memoryPort, portTo } from '../s3/memory-s3.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { put, recordOf } from '../support/store-contract.ts'

const OPTIONS = { isDry: false, verifies: true, removesSource: false }
const LARGE = randomBytes(1_000).toString('hex')

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

/** One process: it never waits for itself. */
const NODE = randomUUID()

function environmentOn(port: S3Port): Environment {
  return {
    port,
    bucket: 'bucket',
    prefix: '.landfall/',
    keyOf: ({ id, fileName, folder = '' }) => `files/${folder}/${id}/${fileName}`,
    node: NODE,
    cells: { usual: 64, smallest: 16, largestNatural: 128, largest: 256, copied: 256 },
    clock: systemClock,
    parallel: 2,
    flushAfter: 30_000,
    budget: new MemoryBudget(2 ** 26),
    keepsRejected: true,
  }
}

async function onDisk<T>(name: string, work: (store: DiskStore, depot: Depot) => Promise<T>): Promise<T> {
  const directory = `${folder.path}/${name}`
  const store = await DiskStore.open({ directory, sync: 'never', boot: 'b', onNotice: () => undefined })
  try {
    return await work(store, new DiskDepot(new Layout(directory), store))
  } finally {
    await store.close()
  }
}

/** Uploads in all states that a service leaves. */
async function fill(store: DiskStore): Promise<void> {
  const more = (id: string, length: number | null, rest: Partial<UploadRecord> = {}): UploadRecord => ({
    ...recordOf(id, length),
    ...rest,
  })
  const whole = async (record: UploadRecord, content: string): Promise<void> => {
    await store.createFinished(record, [Buffer.from(content)])
  }
  await whole(more('small', 5, { folder: '2026/11', owner: 'anna', digests: { 'sha-256': 'AA==' } }), 'hello')
  await whole(more('large', LARGE.length, { metadata: { filename: 'a.txt', empty: null } }), LARGE)
  await whole(more('empty', 0), '')
  const live = async (record: UploadRecord, pieces: Readonly<Record<number, string>>): Promise<StoredUpload> => {
    const upload = await store.create(record)
    for (const [start, content] of Object.entries(pieces)) await put(upload, Number(start), content, 'when-verified')
    return upload
  }
  const page = { chunks: 4, chunkSize: 3, begun: 's', senders: ['s'], modified: 17 }
  const uploads = [
    await live(more('t.n.u', 12, { webUploader: page }), { 0: 'abc', 6: 'ghi' }),
    await live(more('open', null, { endAwaited: true }), { 0: 'abc' }),
    await live(more('long', 2 * LARGE.length), { 0: LARGE, [LARGE.length + 10]: LARGE.slice(10, 900) }),
    await live(more('untouched', 5), {}),
    await live(more('complete', 5), { 0: 'hello' }),
    await live(more('failed', 5, { failed: { code: 'digest_mismatch', message: 'Other bytes.' } }), { 0: 'he' }),
    await live(more('final', 10, { parts: ['one', 'two'], tus: { concat: 'final;/files/one /files/two' } }), {}),
    await live(more('one', 5, { partial: true, final: 'final' }), { 0: 'hello' }),
    await live(more('two', 5, { partial: true, final: 'final' }), { 0: 'world' }),
    await live(more('gone', 5, { owner: 'anna' }), { 0: 'he' }),
  ]
  const find = (id: string): StoredUpload => {
    const found = uploads.find(({ record }) => record.id === id)
    if (found === undefined) throw new Error(id)
    return found
  }
  await find('final').absorb(find('one'), 0)
  await find('gone').remove('expired')
  for (const upload of uploads) if (!upload.removed) await upload.close()
}

const IDS = ['small', 'large', 'empty', 't.n.u', 'open', 'long', 'untouched', 'complete', 'failed', 'final', 'one']

/** What a depot says of an upload. */
async function stateOf(depot: Depot, id: string): Promise<unknown> {
  const seen = await depot.see(id)
  if (seen.kind !== 'upload') return seen.kind
  const upload = await depot.view(id)
  if (upload === undefined) return 'unreadable'
  const { record, received, finishedAt, hasBytes } = upload
  let content = ''
  for (const range of hasBytes ? received : []) for await (const bytes of upload.read(range)) content += `${bytes}`
  await upload.close()
  return { record, received, finishedAt, hasBytes, content, isFinished: seen.isFinished }
}

async function statesOf(depot: Depot): Promise<ReadonlyMap<string, unknown>> {
  return new Map(await Promise.all([...IDS, 'two', 'gone'].map(async (id) => [id, await stateOf(depot, id)] as const)))
}

async function run(source: Depot, target: Depot): Promise<readonly string[]> {
  const lines: string[] = []
  const report = new Report((line) => lines.push(line), false)
  await moveAll(source, target, report, OPTIONS)
  report.end()
  return lines
}

const ALL = 'Moved: 3 finished, 9 unfinished, 1 tombstones. Already there: 0. Not moved: 0.'

describe('A move between stores', () => {
  it('keeps the record, the received ranges, and the contents of uploads in every state, there and back', async () => {
    const bucket = new Bucket(Date.now, 1)
    await onDisk('source', async (store, source) => {
      await fill(store)
      const before = await statesOf(source)
      const depot = new S3Depot(environmentOn(memoryPort(bucket)))
      expect((await run(source, depot)).at(-1)).toBe(ALL)
      expect(await statesOf(depot)).toEqual(before)
      await onDisk('target', async (_, target) => {
        expect((await run(depot, target)).at(-1)).toBe(ALL)
        expect(await statesOf(target)).toEqual(before)
      })
      // Opened again, as by a service.
      await onDisk('target', async (_, target) => expect(await statesOf(target)).toEqual(before))
    })
  })

  it('keeps the owner and the time of a tombstone', async () => {
    const bucket = new Bucket(Date.now, 1)
    await onDisk('source', async (store, source) => {
      await fill(store)
      const at = await store.goneSince('gone')
      const s3 = new S3Store(environmentOn(memoryPort(bucket)))
      await run(source, new S3Depot(environmentOn(memoryPort(bucket))))
      expect(await s3.open('gone')).toEqual({ kind: 'gone', owner: 'anna' })
      expect(await s3.goneSince('gone')).toEqual(at)
      await onDisk('target', async (target, depot) => {
        await run(new S3Depot(environmentOn(memoryPort(bucket))), depot)
        expect(await target.open('gone')).toEqual({ kind: 'gone', owner: 'anna' })
        expect(await target.goneSince('gone')).toEqual(at)
      })
    })
  })

  it('tells services of an upload only when it is whole, whichever call was the last, and can be repeated', async () => {
    await onDisk('source', async (store, source) => {
      await fill(store)
      const before = await statesOf(source)
      let isComplete = false
      for (let calls = 1; !isComplete; calls += calls < 300 ? 11 : 53) {
        for (const isApplied of [false, true]) {
          const bucket = new Bucket(Date.now, 1)
          const broken = new S3Depot(environmentOn(stoppingPort(bucket, calls, isApplied)))
          const lines = await run(source, broken).catch((): string[] => [])
          isComplete = lines.at(-1) === ALL
          const depot = new S3Depot(environmentOn(memoryPort(bucket)))
          const service = new S3Store(environmentOn(memoryPort(bucket)))
          for (const [id, state] of before) {
            const found = await service.summary(id)
            const listed = (await service.partition(service.partitionOf(id))).includes(id)
            if (id !== 'gone' && found !== undefined) expect([id, await stateOf(depot, id)]).toEqual([id, state])
            if (id !== 'gone') expect([id, listed]).toEqual([id, found !== undefined])
          }
          expect((await run(source, depot)).at(-1)).toMatch(/ Not moved: 0\.$/)
          expect(await statesOf(depot)).toEqual(before)
          expect(bucket.multiparts.size).toBeLessThanOrEqual(2)
        }
      }
    })
  }, 120_000)

  it('leaves no upload in a data directory before it has all bytes', async () => {
    const bucket = new Bucket(Date.now, 1)
    const depot = new S3Depot(environmentOn(memoryPort(bucket)))
    const before = await onDisk('source', async (store, source) => {
      await fill(store)
      await run(source, depot)
      return statesOf(source)
    })
    for (let reads = 0; reads < 40; reads += 3) {
      await onDisk(`target${reads}`, async (_, target) => {
        await run(failingSource(depot, reads), target)
        for (const [id, state] of await statesOf(target)) {
          if (state !== 'none') expect([id, state]).toEqual([id, before.get(id)])
        }
      })
      await onDisk(`target${reads}`, async (_, target) => {
        expect((await run(depot, target)).at(-1)).toMatch(/ Not moved: 0\.$/)
        expect(await statesOf(target)).toEqual(before)
      })
    }
  }, 60_000)

  it('never overwrites another upload of the same id', async () => {
    const depot = new S3Depot(environmentOn(memoryPort(new Bucket(Date.now, 1))))
    await onDisk('other', async (store, source) => {
      await store.createFinished({ ...recordOf('small', 5), createdAt: '2020-01-01T00:00:00.000Z' }, [
        Buffer.from('other'),
      ])
      await run(source, depot)
    })
    await onDisk('source', async (store, source) => {
      await fill(store)
      const lines = await run(source, depot)
      expect(lines).toContain('small: The target has another upload of this id. Not moved.')
      expect(await stateOf(depot, 'small')).toMatchObject({ content: 'other' })
    })
  })

  it('does not take for moved what was created after an upload of its id was removed at the target', async () => {
    const depot = new S3Depot(environmentOn(memoryPort(new Bucket(Date.now, 1))))
    await depot.placeTombstone({ id: 'small', why: 'deleted', at: new Date('2020-01-01'), owner: undefined })
    await onDisk('source', async (store, source) => {
      await fill(store)
      const lines = await run(source, depot)
      expect(lines).toContain('small: The target has a tombstone of an earlier upload of this id. Not moved.')
    })
  })

  it('finds with --verify bytes that are others, and sizes that are others without it', async () => {
    const bucket = new Bucket(Date.now, 1)
    const depot = new S3Depot(environmentOn(memoryPort(bucket)))
    await onDisk('source', async (store, source) => {
      await fill(store)
      await run(source, depot)
      bucket.put('files//large/a.txt', Buffer.from(LARGE.replace(/.$/, 'x')))
      bucket.put('files/2026/11/small/a.txt', Buffer.from('hell'))
      const lines = await run(source, depot)
      expect(lines).toContain('large: At the target, it has other bytes. Not moved.')
      expect(lines).toContain('small: The object files/2026/11/small/a.txt has 4 bytes instead of 5. Not moved.')
    })
  })
})

/** A port to a bucket that answers no call after so many. @param isApplied whether the last one is applied. */
function stoppingPort(bucket: Bucket, calls: number, isApplied: boolean): S3Port {
  let left = calls
  return portTo(bucket, async (apply) => {
    left -= 1
    if (left === 0 && isApplied) apply()
    if (left <= 0) throw new S3Error('unknown', 'no answer')
    return apply()
  })
}

/** A depot that cannot be read any more after so many reads. */
function failingSource(depot: Depot, reads: number): Depot {
  let left = reads
  return {
    uploads: () => depot.uploads(),
    tombstones: () => depot.tombstones(),
    see: (id) => depot.see(id),
    view: (id) => depot.view(id),
    place: (upload) => depot.place(upload),
    placeTombstone: (removed) => depot.placeTombstone(removed),
    erase: (id) => depot.erase(id),
    close: async () => undefined,
    take: async (id) => {
      const taken = await depot.take(id)
      if (taken.kind !== 'upload') return taken
      const { upload } = taken
      const read = async function* (range: Range): AsyncGenerator<Buffer> {
        for await (const bytes of upload.read(range)) {
          left -= 1
          if (left < 0) throw new UploadError('storage_error', 'broken')
          yield bytes
        }
      }
      return { kind: 'upload', upload: { ...upload, read } }
    },
  }
}
