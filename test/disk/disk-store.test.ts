import { randomUUID } from 'node:crypto'
import { readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { UploadRecord } from '../../server/core/record.ts'
import type { Prepared, StoredUpload } from '../../server/core/store.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import type { Step, SyncMode } from '../../server/disk/environment.ts'
import { temporaryFolder } from '../support/folder.ts'
import { put, recordOf, type StoreUnderTest, storeContract } from '../support/store-contract.ts'

interface DiskUnderTest extends StoreUnderTest {
  readonly directory: string
  /** As after a power cut: the host has another boot id. */
  reboot(): Promise<void>
  readonly notices: string[]
}

async function disk(sync: SyncMode, place?: string): Promise<DiskUnderTest> {
  const folder = await temporaryFolder()
  const notices: string[] = []
  let boot: string = randomUUID()
  const open = async (): Promise<DiskStore> => {
    const onNotice = (sentence: string): number => notices.push(sentence)
    const store = await DiskStore.open({ directory: folder.path, sync, boot, onNotice })
    return place === undefined ? store : inFolder(store, place)
  }
  const under: DiskUnderTest = {
    store: await open(),
    directory: folder.path,
    notices,
    reopen: async () => {
      await under.store.close()
      under.store = await open()
    },
    reboot: async () => {
      boot = randomUUID()
      await under.reopen()
    },
    dispose: async () => {
      await under.store.close()
      await folder.dispose()
    },
  }
  return under
}

/** Lets a store put the file of every new upload into a folder. */
function inFolder(store: DiskStore, folder: string): DiskStore {
  const { create, createFinished } = DiskStore.prototype
  return Object.assign(store, {
    create: (record: UploadRecord) => create.call(store, { ...record, folder }),
    createFinished: (record: UploadRecord, bytes: readonly Buffer[], prepare?: () => Promise<Prepared>) =>
      createFinished.call(store, { ...record, folder }, bytes, async () => {
        const prepared = (await prepare?.()) ?? { record }
        return { ...prepared, record: { ...prepared.record, folder } }
      }),
  })
}

/** The uploads of a test, whose descriptors are closed after it. */
const touched: StoredUpload[] = []

afterEach(async () => {
  for (const upload of touched.splice(0)) await upload.release()
})

async function create(under: DiskUnderTest, record: UploadRecord): Promise<StoredUpload> {
  const upload = await under.store.create(record)
  touched.push(upload)
  return upload
}

async function openUpload(under: DiskUnderTest, id: string): Promise<StoredUpload> {
  const found = await under.store.open(id)
  if (found.kind !== 'upload') throw new Error(`${id} is ${found.kind}`)
  touched.push(found.upload)
  return found.upload
}

for (const sync of ['finish', 'always', 'never'] as const) {
  describe(`On disk, SYNC=${sync}:`, () => storeContract(() => disk(sync)))
}

describe('On disk, in a folder:', () => storeContract(() => disk('finish', '2026/11')))

it('A file that cannot be finished leaves nothing, and the file in its way unchanged', async () => {
  const under = await disk('finish')
  const obstacle = path.join(under.directory, 'files', 'whole')
  await writeFile(obstacle, 'somebody’s')
  const made = under.store.createFinished(recordOf('whole', 5), [Buffer.from('hello')])
  await expect(made).rejects.toMatchObject({ code: 'storage_error' })
  expect(await readFile(obstacle, 'utf8')).toBe('somebody’s')
  expect(await readdir(path.join(under.directory, 'incoming'))).toEqual([])
  expect(await under.store.open('whole')).toEqual({ kind: 'unknown' })
  await under.dispose()
})

it('A file with more or fewer bytes than declared is not created', async () => {
  const under = await disk('never')
  for (const length of [4, 6]) {
    const made = under.store.createFinished(recordOf('whole', length), [Buffer.from('hello')])
    await expect(made).rejects.toMatchObject({ code: 'storage_error' })
  }
  expect(await under.store.open('whole')).toEqual({ kind: 'unknown' })
  await under.dispose()
})

it('A file that is created at once has no record before its events are written: the next start would finish it', async () => {
  const folder = await temporaryFolder()
  const steps: Step[] = []
  const store = await DiskStore.open({
    ...{ directory: folder.path, sync: 'finish', boot: 'b', onNotice: () => undefined },
    onStep: (step) => steps.push(step),
  })
  const fault = new Error('The events could not be written.')
  const prepare = async (): Promise<Prepared> => ({ record: recordOf('whole', 5), after: Promise.reject(fault) })
  await expect(store.createFinished(recordOf('whole', 5), [Buffer.from('hello')], prepare)).rejects.toThrow()
  expect(steps).toEqual(['whole:bytes'])
  expect(await readdir(path.join(folder.path, 'incoming'))).toEqual([])
  await store.close()
  await folder.dispose()
})

describe('A removal', () => {
  it.each<Step>(['remove:tombstone', 'remove:bytes', 'remove:record'])(
    'leaves no record when the record is changed at its step %s',
    async (step) => {
      const folder = await temporaryFolder()
      const change = async (): Promise<void> => upload.update((record) => ({ ...record, final: 'another' }))
      let changed: Promise<void> | undefined
      const store = await DiskStore.open({
        ...{ directory: folder.path, sync: 'finish', boot: 'b', onNotice: () => undefined },
        onStep: (done) => {
          if (done === step) changed = change()
        },
      })
      const upload = await store.create(recordOf('part', 5))
      await upload.remove('deleted')
      await changed
      expect(changed).toBeDefined()
      expect(await readdir(path.join(folder.path, 'records'))).toEqual([])
      expect(await store.open('part')).toEqual({ kind: 'gone' })
      await store.close()
      await folder.dispose()
    },
  )
})

it('An upload occupies an inode each for its bytes, its journal, its record, and its directory in files', async () => {
  const under = await disk('never')
  const upload = await create(under, recordOf('one', 5))
  expect((await upload.occupied()).files).toBe(2)
  await put(upload, 2, 'llo', 'when-verified')
  expect((await upload.occupied()).files).toBe(3)
  await put(upload, 0, 'he', 'when-verified')
  await upload.finish()
  expect((await upload.occupied()).files).toBe(3)
  await under.dispose()
})

describe('A data directory', () => {
  it('holds a finished file as a plain file under its own name', async () => {
    const under = await disk('finish')
    const upload = await create(under, { ...recordOf('id', 5), fileName: '测试 文件.txt' })
    await put(upload, 0, 'hello', 'when-verified')
    await upload.finish()
    expect(await readFile(path.join(under.directory, 'files', 'id', '测试 文件.txt'), 'utf8')).toBe('hello')
    expect(await readdir(path.join(under.directory, 'journals'))).toEqual([])
    await under.dispose()
  })

  it('belongs to one process: it refuses a second start with a sentence', async () => {
    const under = await disk('finish')
    const second = DiskStore.open({ directory: under.directory, sync: 'finish', boot: 'b', onNotice: () => undefined })
    await expect(second).rejects.toThrow(/Another process is using the data directory/)
    await under.dispose()
  })

  it('sets aside bytes that were never acknowledged', async () => {
    const under = await disk('finish')
    await writeFile(path.join(under.directory, 'incoming', 'orphan'), 'bytes')
    await under.reopen()
    expect(await under.store.open('orphan')).toEqual({ kind: 'unknown' })
    const [kept] = await readdir(path.join(under.directory, 'quarantine'))
    expect(await readFile(path.join(under.directory, 'quarantine', kept ?? ''), 'utf8')).toBe('bytes')
    expect(under.notices).toHaveLength(1)
    await under.dispose()
  })

  it('truncates a torn journal, and appends after its valid entries', async () => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('torn', 9))
    await put(upload, 6, 'ghi', 'when-verified')
    await put(upload, 3, 'def', 'when-verified')
    await upload.release()
    const journal = path.join(under.directory, 'journals', 'torn')
    await truncate(journal, (await stat(journal)).size - 5)
    await under.reopen()
    const again = await openUpload(under, 'torn')
    expect(again.received).toEqual([{ start: 6, end: 9 }])
    await put(again, 0, 'abcdef', 'when-verified')
    await again.release()
    await under.reopen()
    expect((await openUpload(under, 'torn')).received).toEqual([{ start: 0, end: 9 }])
    await under.dispose()
  })

  it('reports the last change of an upload that begins with an old part as recent', async () => {
    const under = await disk('finish')
    const part = await create(under, { ...recordOf('part', 5), partial: true })
    await put(part, 0, 'hello', 'as-received')
    const old = new Date(Date.now() - 3_600_000)
    await utimes(path.join(under.directory, 'incoming', 'part'), old, old)
    const final = await create(under, recordOf('final', 10))
    const before = await final.lastChange()
    await final.absorb(part, 0)
    expect((await final.lastChange()).getTime()).toBeGreaterThanOrEqual(before.getTime())
    await under.dispose()
  })

  it('ignores a torn record without bytes: its id can be used again', async () => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('again', 5))
    await upload.release()
    await rm(path.join(under.directory, 'incoming', 'again'))
    await truncate(path.join(under.directory, 'records', 'ag', 'again.json'), 7)
    await under.reopen()
    expect(await under.store.open('again')).toEqual({ kind: 'unknown' })
    await put(await create(under, recordOf('again', 5)), 0, 'hello', 'as-received')
    expect((await openUpload(under, 'again')).received).toEqual([{ start: 0, end: 5 }])
    await under.dispose()
  })

  it('ignores a journal entry whose checksum is wrong, and all after it', async () => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('flipped', 9))
    for (const start of [6, 3, 0]) await put(upload, start, 'abc', 'when-verified')
    await upload.release()
    const journal = path.join(under.directory, 'journals', 'flipped')
    const bytes = await readFile(journal)
    bytes.writeUInt8(bytes.readUInt8(2 * 32 + 20) ^ 1, 2 * 32 + 20)
    await writeFile(journal, bytes)
    await under.reopen()
    expect((await openUpload(under, 'flipped')).received).toEqual([{ start: 6, end: 9 }])
    await under.dispose()
  })

  it('reports an upload as gone when only its record is left', async () => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('lost', 5))
    await upload.release()
    await under.store.close()
    await rm(path.join(under.directory, 'incoming', 'lost'))
    await under.reopen()
    expect(await under.store.open('lost')).toEqual({ kind: 'gone' })
    await under.dispose()
  })
})

describe('A data directory after a reboot', () => {
  it('discards bytes of a plain upload that were never synced, and accepts them again', async () => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('plain', 10))
    await put(upload, 0, 'hello', 'as-received')
    await upload.release()
    await under.reboot()
    const again = await openUpload(under, 'plain')
    expect(again.received).toEqual([])
    await put(again, 0, 'HELLO', 'as-received')
    await again.release()
    await under.reopen()
    expect((await openUpload(under, 'plain')).received).toEqual([{ start: 0, end: 5 }])
    await under.dispose()
  })

  it.each(['as-received', 'when-verified'] as const)('keeps what was synced before the reboot: %s', async (count) => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('marked', 20))
    await put(upload, 0, 'hello', count)
    await upload.close()
    const again = await openUpload(under, 'marked')
    await put(again, 5, 'lost', count)
    await again.release()
    await under.reboot()
    const kept = await openUpload(under, 'marked')
    expect(kept.received).toEqual([{ start: 0, end: 5 }])
    expect(await text(kept.read({ start: 0, end: 5 }))).toBe('hello')
    await under.reboot()
    expect((await openUpload(under, 'marked')).received).toEqual([{ start: 0, end: 5 }])
    await under.dispose()
  })

  it.each([
    ['as-received', 0],
    ['when-verified', 3],
  ] as const)(
    'keeps what a killed process had not synced if another one stopped properly after it: %s',
    async (count, start) => {
      const under = await disk('finish')
      const killed = await create(under, recordOf('killed', 20))
      await put(killed, start, 'hello', count)
      await killed.release()
      await under.reopen()
      const stopped = await openUpload(under, 'killed')
      await stopped.close()
      await under.reboot()
      expect((await openUpload(under, 'killed')).received).toEqual([{ start, end: start + 5 }])
      await under.dispose()
    },
  )

  it('keeps everything that was acknowledged with SYNC=always', async () => {
    const under = await disk('always')
    const upload = await create(under, recordOf('always', 20))
    await put(upload, 0, 'hello', 'as-received')
    await put(upload, 9, 'x', 'when-verified')
    await upload.release()
    await under.reboot()
    expect((await openUpload(under, 'always')).received).toEqual([
      { start: 0, end: 5 },
      { start: 9, end: 10 },
    ])
    await under.dispose()
  })

  it('keeps a finished file', async () => {
    const under = await disk('finish')
    const upload = await create(under, recordOf('done', 5))
    await put(upload, 0, 'hello', 'as-received')
    await upload.finish()
    await upload.release()
    await under.reboot()
    expect((await openUpload(under, 'done')).finished).toBe(true)
    await under.dispose()
  })
})
