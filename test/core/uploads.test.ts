import { expect, it } from '@jest/globals'
import { memoryClaims } from '../../server/core/memory-claims.ts'
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
