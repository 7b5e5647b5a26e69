import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { Uploads } from '../../server/core/uploads.ts'
import { ArraySource } from '../support/array-source.ts'
import { recordOf } from '../support/store-contract.ts'
import { type UploadsOnDisk, uploadsOnDisk } from '../support/uploads-on-disk.ts'

/** So many that a sweep is still running when the last ones have received their bytes. */
const UPLOADS = 150

let uploads: Uploads
let dispose: UploadsOnDisk['dispose']

beforeEach(async () => {
  ;({ uploads, dispose } = await uploadsOnDisk())
})
afterEach(() => dispose())

it('A sweep keeps an upload that was stale when it began, but received bytes before its turn', async () => {
  const ids = Array.from({ length: UPLOADS }, (_, i) => `upload-${i}`)
  for (const id of ids) await uploads.create(recordOf(id, 10), async () => undefined)
  const lastMade = await uploads.use(ids.at(-1) ?? '', (upload) => upload.lastChange())
  // The clock of the file system is coarse: later bytes have a later time.
  while (Date.now() <= lastMade.getTime() + 20) await nextTurn()
  const sweep = uploads.sweeps.expire(new Date(lastMade.getTime() + 10))
  const acknowledged = new Set<string>()
  const senders = [0, 1, 2, 3].map(async (first) => {
    for (const id of ids.filter((_, i) => i % 4 === first).reverse()) {
      await uploads
        .use(id, (upload) =>
          upload.receiving.append({ start: 0, end: 5 }, ArraySource.of(Buffer.from('bytes')), 'as-received'),
        )
        .then(() => acknowledged.add(id))
        .catch((error: unknown) => expect(error).toMatchObject({ code: 'gone' }))
    }
  })
  const expired = await sweep
  await Promise.all(senders)
  expect(acknowledged.size).toBe(UPLOADS - expired)
  expect(expired).toBeLessThan(UPLOADS)
  for (const id of acknowledged) expect([id, await uploads.use(id, async ({ offset }) => offset)]).toEqual([id, 5])
})
