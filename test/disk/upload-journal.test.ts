import type { FileHandle } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import type { StoredUpload } from '../../server/core/store.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import type { SyncMode } from '../../server/disk/environment.ts'
import { fileHandles, holdNext } from '../support/file-handles.ts'
import { memoryFolder } from '../support/folder.ts'
import { put, recordOf } from '../support/store-contract.ts'

let folder: Awaited<ReturnType<typeof memoryFolder>>
let store: DiskStore
let upload: StoredUpload
beforeEach(async () => {
  folder = await memoryFolder()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await store.close()
  await folder.dispose()
})

function open(sync: SyncMode): Promise<DiskStore> {
  return DiskStore.open({ directory: folder.path, sync, boot: 'boot', onNotice: () => undefined })
}

async function begin(sync: SyncMode): Promise<void> {
  store = await open(sync)
  upload = await store.create(recordOf('id', 100))
}

/** The ranges that count for the next process. */
async function receivedLater(): Promise<unknown> {
  await upload.release()
  await store.close()
  store = await open('finish')
  const found = await store.open('id')
  return found.kind === 'upload' && found.upload.received
}

it('The journal of an upload has what a stream wrote during its creation', async () => {
  await begin('finish')
  const stream = await upload.begin({ start: 0, end: 5 }, 'as-received')
  await stream.write([Buffer.from('first')])
  const write = await holdNext('writeFile')
  const chunk = put(upload, 50, 'chunk', 'when-verified')
  // The journal starts with the ranges that count at that moment: none.
  await new Promise((resolve) => setImmediate(resolve))
  const committed = stream.commit()
  write()
  await Promise.all([committed, chunk])
  const received = [
    { start: 0, end: 5 },
    { start: 50, end: 55 },
  ]
  expect(upload.received).toEqual(received)
  expect(await receivedLater()).toEqual(received)
})

/** The length of an entry and its mark, in bytes. */
const WITH_MARK = 64

/** A disk that writes an entry without its mark, and then fails to truncate it. */
async function refuseMark(): Promise<void> {
  const handles = await fileHandles()
  const write = Reflect.get(handles, 'write')
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' })
  jest.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...given: unknown[]) {
    const [bytes, offset, length, position] = given
    if (length === WITH_MARK) return Reflect.apply(write, this, [bytes, offset, WITH_MARK / 2, position])
    throw full
  })
  jest.spyOn(handles, 'truncate').mockRejectedValueOnce(full)
}

it('The journal of an upload does not count refused bytes whose place is about to be overwritten', async () => {
  await begin('always')
  await put(upload, 0, 'first', 'when-verified')
  await refuseMark()
  await expect(put(upload, 50, 'chunk', 'when-verified')).rejects.toMatchObject({ code: 'no_space' })
  jest.restoreAllMocks()
  const again = await upload.begin({ start: 50, end: 55 }, 'when-verified')
  await again.write([Buffer.from('ch')])
  expect(await receivedLater()).toEqual([{ start: 0, end: 5 }])
})
