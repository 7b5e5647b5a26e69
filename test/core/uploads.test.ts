import { symlink } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { Upload } from '../../server/core/upload.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { ArraySource } from '../support/array-source.ts'
import { recordOf } from '../support/store-contract.ts'
import { type UploadsOnDisk, uploadsOnDisk } from '../support/uploads-on-disk.ts'

let uploads: Uploads
let folder: string
let dispose: UploadsOnDisk['dispose']

beforeEach(async () => {
  ;({ uploads, folder, dispose } = await uploadsOnDisk())
})
afterEach(() => dispose())

it('A lookup that finds no upload does not disturb its concurrent creation', async () => {
  const looked = uploads.use('id', async () => undefined)
  const made = uploads.create(recordOf('id', 5), async ({ state }) => state)
  await expect(looked).rejects.toMatchObject({ code: 'not_found' })
  expect(await made).toBe('receiving')
})

it.each<[string, (upload: Upload) => Promise<void>]>([
  [
    'bytes',
    (upload) => upload.receiving.append({ start: 0, end: 5 }, ArraySource.of(Buffer.from('hello')), 'as-received'),
  ],
  ['a length', (upload) => upload.setLength(5)],
  ['an end', (upload) => upload.announceEnd(0)],
  ['a deletion', (upload) => upload.remove('deleted')],
])('A request that runs after the close is refused: %s', async (_, change) => {
  const late = uploads.create(recordOf('id', null), async (upload) => {
    await uploads.close()
    await change(upload)
  })
  await expect(late).rejects.toMatchObject({ code: 'stopping' })
})

it('A sweep expires stale uploads even if one of them cannot be read', async () => {
  // The OS refuses to follow a link to itself.
  await symlink('loop', path.join(folder, 'incoming', 'loop'))
  for (const id of ['first', 'second']) await uploads.create(recordOf(id, 5), async () => undefined)
  expect(await uploads.sweeps.expire(new Date(Date.now() + 60_000))).toBe(2)
})
