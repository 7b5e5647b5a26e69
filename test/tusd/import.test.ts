import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { Upload, type UploadOptions } from 'tus-js-client'
import { contentOf, runImport } from '../import/support.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startServiceOn } from '../support/service.ts'
import { until } from '../support/wire.ts'
import { startTusd } from './tusd.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

interface Running {
  readonly content: Buffer
  readonly url: () => string | null
  readonly accepted: () => number
  readonly done: Promise<void>
}

/** An upload of a client that tries again for a minute. */
function upload(base: string, name: string, content: Buffer, options: Partial<UploadOptions>): Running {
  let accepted = 0
  let end = (_error?: Error): void => undefined
  const done = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error))
  })
  const client = new Upload(content, {
    endpoint: `${base}/files/`,
    retryDelays: Array.from({ length: 300 }, () => 200),
    metadata: { filename: name },
    onChunkComplete: (_, bytes) => {
      accepted = bytes
    },
    onSuccess: () => end(),
    onError: end,
    ...options,
  })
  client.start()
  return { content, url: () => client.url, accepted: () => accepted, done }
}

it('Clients whose uploads tusd has begun continue them at Landfall, under the same URLs', async () => {
  const source = path.join(folder.path, 'tusd')
  const dataDir = path.join(folder.path, 'data')
  const tusd = await startTusd(source)
  const finished = upload(tusd.url, 'finished.bin', bytesOf(100_000, 1), {})
  await finished.done
  const large = bytesOf(40_000_000, 2)
  const running = [
    upload(tusd.url, 'chunks.bin', large, { chunkSize: 250_000 }),
    upload(tusd.url, 'other.bin', large.subarray(1), { chunkSize: 300_000 }),
    upload(tusd.url, 'parts.bin', large.subarray(2), { parallelUploads: 3, chunkSize: 200_000 }),
  ]
  await until(async () => running.every(({ accepted }) => accepted() > 0))
  const urls = running.map(({ url }) => url())
  await tusd.kill()
  const before = await contentOf(source)
  const { code, lines } = await runImport(dataDir, 'tusd', source)
  expect([code, lines.at(-1)]).toEqual([0, 'Imported: 1 finished, 5 unfinished. Already imported: 0. Not imported: 0.'])
  const service = await startServiceOn(dataDir, { PORT: String(tusd.port) })
  await Promise.all(running.map(({ done }) => done))
  expect(await contentOf(source)).toEqual(before)
  for (const [index, { content, url }] of [...running, finished].entries()) {
    // That of a concatenation is made at the end.
    if (index < 2) expect(url()).toBe(urls[index])
    const id = path.basename(url() ?? '')
    const [name = ''] = await readdir(path.join(dataDir, 'files', id))
    expect((await readFile(path.join(dataDir, 'files', id, name))).equals(content)).toBe(true)
  }
  await service.close()
})
