import { type FileHandle, open } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { put, recordOf } from '../core/store-contract.ts'
import { temporaryFolder } from '../support/folder.ts'

/** As many bytes as start a sync in the background. */
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

/** What all open files have in common. */
async function fileHandles(): Promise<FileHandle> {
  const file = await open(folder.path, 'r')
  await file.close()
  return Object.getPrototypeOf(file)
}

it.each(['as-received', 'when-verified'] as const)(
  'an upload that is let go while a sync is under way keeps what came after that had begun: %s',
  async (count) => {
    let sync = (): void => undefined
    const asked = new Promise<void>((resolve) => {
      sync = resolve
    })
    let store = await openStore('one')
    const upload = await store.create(recordOf('id', 2 * MANY))
    const handles = await fileHandles()
    const datasync = Reflect.get(handles, 'datasync')
    jest.spyOn(handles, 'datasync').mockImplementationOnce(async function (this: FileHandle) {
      await asked
      await datasync.call(this)
    })
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
