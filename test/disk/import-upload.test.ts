import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from '@jest/globals'
import { newRecord } from '../../server/core/record.ts'
import { bootId } from '../../server/disk/boot-id.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { temporaryFolder } from '../support/folder.ts'

it('A file that changes while it is imported is refused, and nothing of it is left', async () => {
  const folder = await temporaryFolder()
  const options = { directory: folder.path, sync: 'never', boot: bootId(), onNotice: () => undefined } as const
  const store = await DiskStore.open(options)
  // A file of Linux that seems to be empty until it is read; copyfile(3) believes that.
  const bytes = { files: ['/proc/version', '/proc/version'], mayLink: false }
  const record = newRecord({ length: 0, metadata: {} })
  await expect(store.importUpload(record, bytes)).rejects.toThrow(
    /^\/proc\/version changed while it was read\. Stop the server that writes it\.$/,
  )
  expect((await store.open(record.id)).kind).toBe('unknown')
  for (const name of ['incoming', 'files', 'quarantine']) {
    expect(await readdir(path.join(folder.path, name))).toEqual([])
  }
  await store.close()
  await folder.dispose()
})
