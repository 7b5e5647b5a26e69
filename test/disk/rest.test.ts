import { readdir, readlink } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { Journal } from '../../server/disk/journal.ts'
import { put, recordOf } from '../core/store-contract.ts'
import { temporaryFolder } from '../support/folder.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await folder.dispose()
})

/** What this process has open of the file, by the system's account. */
async function descriptorsOf(file: string): Promise<number> {
  const names = await readdir('/proc/self/fd')
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return targets.filter((target) => target === file).length
}

const onLinux = process.platform === 'linux' ? it : it.skip

onLinux('the file is let go also when the journal cannot be closed well', async () => {
  const options = { directory: folder.path, sync: 'never', boot: 'boot', onNotice: () => undefined } as const
  const store = await DiskStore.open(options)
  const upload = await store.create(recordOf('id', 100))
  await put(upload, 5, 'bytes', 'when-verified')
  const bytes = `${folder.path}/incoming/id`
  expect(await descriptorsOf(bytes)).toBe(1)
  const refused = Object.assign(new Error('close'), { code: 'EIO' })
  jest.spyOn(Journal.prototype, 'close').mockRejectedValueOnce(refused)
  await expect(upload.rest()).rejects.toMatchObject({ code: 'storage_error' })
  expect(await descriptorsOf(bytes)).toBe(0)
  await upload.rest()
  await store.close()
})
