import { stat } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { StoredUpload } from '../../server/core/store.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import type { SyncMode } from '../../server/disk/environment.ts'
import { fileHandles, holdNext } from '../support/file-handles.ts'
import { memoryFolder } from '../support/folder.ts'
import { put, recordOf } from '../support/store-contract.ts'

/** Enough bytes to start a background sync. */
const MANY = 64 * 1024 * 1024
/** More puts than a journal keeps entries, and the maximum size of the journal then, in bytes. */
const PUTS = 5_000
const LONGEST = 140_000

let folder: Awaited<ReturnType<typeof memoryFolder>>
beforeEach(async () => {
  folder = await memoryFolder()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await folder.dispose()
})

function openStore(sync: SyncMode, boot = 'one'): Promise<DiskStore> {
  return DiskStore.open({ directory: folder.path, sync, boot, onNotice: () => undefined })
}

async function openUpload(store: DiskStore): Promise<StoredUpload> {
  const found = await store.open('id')
  if (found.kind !== 'upload') throw new Error(found.kind)
  return found.upload
}

/** Puts single bytes, one after the other. */
async function putMany(upload: StoredUpload, start: number): Promise<void> {
  for (let i = 0; i < PUTS; i++) await put(upload, start + i, 'x', 'when-verified')
}

async function journalSize(): Promise<number> {
  return (await stat(`${folder.path}/journals/id`)).size
}

describe('The journal of very many small puts', () => {
  it.each(['finish', 'always', 'never'] as const)(
    'stays short and returns what was received: SYNC=%s',
    async (sync) => {
      let store = await openStore(sync)
      const upload = await store.create(recordOf('id', 2 * PUTS))
      await putMany(upload, 5)
      expect(await journalSize()).toBeLessThan(LONGEST)
      const received = [{ start: 5, end: 5 + PUTS }]
      expect(upload.received).toEqual(received)
      await upload.release()
      await store.close()
      store = await openStore(sync)
      expect((await openUpload(store)).received).toEqual(received)
      await store.close()
      store = await openStore(sync, 'two')
      expect((await openUpload(store)).received).toEqual(sync === 'always' ? received : [])
      await store.close()
    },
  )

  it('is durable under its new name before a further put counts with SYNC=always', async () => {
    const store = await openStore('always')
    const upload = await store.create(recordOf('id', 2 * PUTS))
    await put(upload, 5, 'x', 'when-verified')
    // For files, only the data is synced.
    const folders = jest.spyOn(await fileHandles(), 'sync')
    let length = await journalSize()
    for (let i = 1; i < PUTS / 2; i++) {
      await put(upload, 5 + i, 'x', 'when-verified')
      const isNew = (await journalSize()) < length
      length = await journalSize()
      expect(folders).toHaveBeenCalledTimes(0)
      if (isNew) break
    }
    await put(upload, 5 + PUTS, 'x', 'when-verified')
    expect(folders).toHaveBeenCalledTimes(1)
    await upload.release()
    await store.close()
  })

  it('keeps what was known to be durable', async () => {
    let store = await openStore('finish')
    const first = await store.create(recordOf('id', 2 * PUTS))
    await put(first, 5, 'synced', 'when-verified')
    await first.close()
    await putMany(first, 100)
    expect(await journalSize()).toBeLessThan(LONGEST)
    await first.release()
    await store.close()
    store = await openStore('finish', 'two')
    expect((await openUpload(store)).received).toEqual([{ start: 5, end: 11 }])
    await store.close()
  })

  it('is not marked by a sync that began before its compaction', async () => {
    let store = await openStore('finish')
    const upload = await store.create(recordOf('id', 2 * MANY))
    for (let i = 0; i < 4000; i++) await put(upload, i, 'x', 'when-verified')
    const sync = await holdNext('datasync')
    await put(upload, 4000, 'm'.repeat(MANY), 'when-verified')
    for (let i = 0; i < 200; i++) await put(upload, 4000 + MANY + i, 'x', 'when-verified')
    expect(await journalSize()).toBeLessThan(32 * 1000)
    // Other syncs begin, too: none of them ends.
    jest.spyOn(await fileHandles(), 'datasync').mockImplementation(() => new Promise(() => undefined))
    sync()
    await put(upload, 2 * MANY - 5, 'later', 'when-verified')
    await upload.release()
    await store.close()
    jest.restoreAllMocks()
    store = await openStore('finish', 'two')
    expect((await openUpload(store)).received).toEqual([])
    await store.close()
  })
})
