import { closeSync } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { holdNext } from '../support/file-handles.ts'
import { temporaryFolder } from '../support/folder.ts'
import { openFiles } from '../support/open-files.ts'
import { put, recordOf } from '../support/store-contract.ts'

/** Enough bytes to start a background sync. */
const MANY = 64 * 1024 * 1024

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await folder.dispose()
})

function openStore(boot: string): Promise<DiskStore> {
  return DiskStore.open({ directory: folder.path, sync: 'finish', boot, onNotice: () => undefined })
}

async function descriptorOf(file: string): Promise<number> {
  for (const name of await readdir('/proc/self/fd')) {
    if ((await readlink(`/proc/self/fd/${name}`).catch(() => '')) === file) return Number(name)
  }
  throw new Error(`${file} is not open`)
}

it.each(['as-received', 'when-verified'] as const)(
  'An upload that is closed during a sync keeps the bytes that arrived after the sync began: %s',
  async (count) => {
    let store = await openStore('one')
    const upload = await store.create(recordOf('id', 2 * MANY))
    const sync = await holdNext('datasync')
    await put(upload, 0, 'm'.repeat(MANY), count)
    await put(upload, MANY, 'more', count)
    const closed = upload.close()
    sync()
    await closed
    await store.close()
    store = await openStore('two')
    const found = await store.open('id')
    await store.close()
    expect(found.kind === 'upload' && found.upload.received).toEqual([{ start: 0, end: MANY + 4 }])
  },
)

it('A failed close leaves no other file open', async () => {
  const store = await openStore('one')
  const upload = await store.create(recordOf('id', 100))
  await put(upload, 5, 'bytes', 'when-verified')
  const before = await openFiles(process.pid, folder.path)
  expect(before).toEqual([`${folder.path}/incoming/id`, `${folder.path}/journals/id`])
  // The test closes the journal's descriptor, so its own close fails.
  closeSync(await descriptorOf(`${folder.path}/journals/id`))
  await expect(upload.release()).rejects.toMatchObject({ code: 'storage_error' })
  expect(await openFiles(process.pid, folder.path)).toEqual([])
  await store.close()
})
