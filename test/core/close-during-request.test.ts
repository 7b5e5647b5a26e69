import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { ArraySource } from '../support/array-source.ts'
import { holdNext } from '../support/file-handles.ts'
import { memoryFolder } from '../support/folder.ts'
import { openFiles } from '../support/open-files.ts'
import { recordOf } from '../support/store-contract.ts'

/** How many idle uploads are kept in memory. */
const KEPT = 1_000

let folder: Awaited<ReturnType<typeof memoryFolder>>
beforeEach(async () => {
  folder = await memoryFolder()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await folder.dispose()
})

function open(boot: string): Promise<Uploads> {
  return openStore({ directory: folder.path, sync: 'finish', boot })
}

function send(uploads: Uploads, start: number, text: string): Promise<void> {
  const source = ArraySource.of(Buffer.from(text))
  return uploads.use('used', (upload) => upload.receiving.append({ start, end: 100 }, source, 'as-received'))
}

it('Closing an upload during a request keeps the bytes of the request, and leaves no descriptor open', async () => {
  let uploads = await open('one')
  await uploads.create(recordOf('used', 100), async () => undefined)
  await send(uploads, 0, 'first')
  const sync = await holdNext('datasync')
  for (let i = 0; i < KEPT; i++) await uploads.createFinished(recordOf(`other-${i}`, 0), [], async () => undefined)
  await send(uploads, 5, 'second')
  sync()
  // Enough time for the close to complete.
  for (let i = 0; i < 10; i++) await uploads.createFinished(recordOf(`last-${i}`, 0), [], async () => undefined)
  expect(await uploads.use('used', async ({ offset }) => offset)).toBe(11)
  await uploads.close()
  expect(await openFiles(process.pid, folder.path)).toEqual([])
  uploads = await open('two')
  const kept = await uploads.use('used', async ({ offset }) => offset)
  await uploads.close()
  expect(kept).toBe(11)
})
