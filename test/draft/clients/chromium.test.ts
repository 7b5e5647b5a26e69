import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { bytesOf } from '../../support/bytes.ts'
import { launchChrome, limitUpload } from '../../support/chrome.ts'
import { type ClientSite, startClientSite } from '../../support/client-site.ts'
import { stateOf } from '../../support/draft.ts'
import { type Landfall, startLandfall } from '../../support/restartable-program.ts'
import { idOf } from '../../support/tus.ts'
import { until } from '../../support/wire.ts'

jest.setTimeout(120_000)

const content = bytesOf(1_400_007)
let chrome: Browser
let page: Page
let site: ClientSite
let landfall: Landfall
beforeAll(async () => {
  chrome = await launchChrome()
  site = await startClientSite(content)
  page = await chrome.newPage()
  await page.goto(site.origin)
  landfall = await startLandfall({ ALLOWED_ORIGINS: site.origin })
})
afterAll(async () => {
  await chrome.close()
  site.close()
  await landfall.dispose()
})

/**
 * Runs a script in a page of another origin.
 *
 * @param script an expression over `file`, the content, and `run(input, options, begin)`, which resolves with the URL
 * of an upload when that has ended; `begin` receives the upload instead of starting it.
 */
function inPage(protocol: string, script: string): Promise<string> {
  return page.evaluate(`(async () => {
    const file = new File([await (await fetch('/content')).blob()], 'a.bin', { type: 'text/x-test' })
    const run = (input, options, begin = (upload) => upload.start()) => new Promise((resolve, reject) => {
      const upload = new tus.Upload(input, {
        endpoint: '${landfall.url}/files',
        protocol: '${protocol}',
        retryDelays: Array.from({ length: 100 }, () => 100),
        metadata: { filename: 'a.bin' },
        onSuccess: () => resolve(upload.url),
        onError: reject,
        ...options,
      })
      begin(upload)
    })
    return ${script}
  })()`)
}

async function expectOnDisk(url: string, expected: Buffer) {
  const folder = path.join(landfall.dataDir, 'files', idOf(url))
  expect(await readdir(folder)).toEqual(['a.bin'])
  expect((await readFile(path.join(folder, 'a.bin'))).equals(expected)).toBe(true)
}

const WAYS: Readonly<Record<string, string>> = {
  'as it comes': 'run(file, {})',
  chunkSize: 'run(file, { chunkSize: 400_000 })',
  uploadDataDuringCreation: 'run(file, { uploadDataDuringCreation: true })',
  'uploadDataDuringCreation, chunkSize': 'run(file, { uploadDataDuringCreation: true, chunkSize: 300_000 })',
  'a stream whose length it does not know':
    'run(file.stream().getReader(), { uploadLengthDeferred: true, chunkSize: 300_000 })',
  'after it was stopped': `run(file, {
    chunkSize: 250_000,
    onChunkComplete(_, accepted) { if (accepted === 500_000) this.stopped() },
  }, (upload) => {
    upload.options.stopped = () => upload.abort().then(() => upload.start())
    upload.start()
  })`,
}

describe.each(['ietf-draft-03', 'ietf-draft-05'])('tus-js-client in Chromium with %s', (protocol) => {
  it.each(Object.entries(WAYS))('uploads: %s', async (_, script) => {
    await expectOnDisk(await inPage(protocol, script), content)
  })

  it.each([false, true])(
    'uploads an empty file, with the bytes in its creation: %s',
    async (uploadDataDuringCreation) => {
      const url = await inPage(
        protocol,
        `run(new File([], 'a.bin'), { uploadDataDuringCreation: ${uploadDataDuringCreation} })`,
      )
      await expectOnDisk(url, Buffer.alloc(0))
    },
  )

  it('deletes an upload that it has begun', async () => {
    const url = await inPage(
      protocol,
      `new Promise((resolve) => run(file, { chunkSize: 250_000, onChunkComplete() { this.stopped() } }, (upload) => {
        upload.options.stopped = () => upload.abort(true).then(() => resolve(upload.url))
        upload.start()
      }))`,
    )
    expect(await stateOf(url)).toEqual([null, null])
  })

  it('resumes after the program was killed and restarted', async () => {
    const before = new Set(await readdir(path.join(landfall.dataDir, 'incoming')))
    await limitUpload(page, 700_000)
    const uploading = inPage(protocol, 'run(file, {})')
    const incoming = async (): Promise<string | undefined> =>
      (await readdir(path.join(landfall.dataDir, 'incoming'))).find((id) => !before.has(id))
    await until(async () => (await incoming()) !== undefined)
    const url = `${landfall.url}/files/${await incoming()}`
    await until(async () => Number((await fetch(url, { method: 'HEAD' })).headers.get('Upload-Offset')) > 200_000)
    await landfall.kill()
    await limitUpload(page)
    await landfall.startAgain()
    expect(await uploading).toBe(url)
    await expectOnDisk(url, content)
  })
})
