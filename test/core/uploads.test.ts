import { expect, it } from '@jest/globals'
import { memoryClaims } from '../../server/core/memory-claims.ts'
import type { Source } from '../../server/core/source.ts'
import { Uploads } from '../../server/core/uploads.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { temporaryFolder } from '../support/folder.ts'
import { recordOf } from './store-contract.ts'

it('makes an upload also while somebody looks for it who finds none', async () => {
  const folder = await temporaryFolder()
  const options = { directory: folder.path, sync: 'never', boot: 'boot', onNotice: () => undefined } as const
  const uploads = new Uploads(await DiskStore.open(options), memoryClaims(), Number.POSITIVE_INFINITY)
  const looked = uploads.use('id', async () => undefined)
  const made = uploads.create(recordOf('id', 5), async ({ state }) => state)
  await expect(looked).rejects.toMatchObject({ code: 'not_found' })
  expect(await made).toBe('receiving')
  await uploads.close()
  await folder.dispose()
})

it('takes no bytes from a request that comes to it only when everything has been closed', async () => {
  const folder = await temporaryFolder()
  const options = { directory: folder.path, sync: 'never', boot: 'boot', onNotice: () => undefined } as const
  const uploads = new Uploads(await DiskStore.open(options), memoryClaims(), Number.POSITIVE_INFINITY)
  const late = uploads.create(recordOf('id', 5), async (upload) => {
    await uploads.close()
    await upload.append({ start: 0, end: 5 }, source('hello'), 'as-received')
  })
  await expect(late).rejects.toMatchObject({ code: 'stopping' })
  await folder.dispose()
})

function source(text: string): Source {
  const pieces = [Buffer.from(text)]
  return {
    read: async () => {
      const piece = pieces.shift()
      return piece === undefined ? null : [piece]
    },
    cancel: () => undefined,
    waitingSince: undefined,
  }
}
