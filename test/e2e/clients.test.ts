import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { bytesOf } from '../support/bytes.ts'
import { launchChrome, withPage } from '../support/chrome.ts'
import { type ClientSite, startClientSite } from '../support/client-site.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { idOf } from '../support/tus.ts'

jest.setTimeout(120_000)

const SIZE = 6_000_001
const content = bytesOf(SIZE)
const RETRIES = Array.from({ length: 40 }, (_, i) => Math.min(i * 20, 200))

let chrome: Browser
let site: ClientSite
let service: TestService

beforeAll(async () => {
  chrome = await launchChrome()
  site = await startClientSite(content)
})
afterEach(() => service.close())
afterAll(async () => {
  await chrome.close()
  site.close()
})

/** Uploads the content in a page with one of its clients. @returns the URL of the upload. */
function uploadInPage(client: 'tus' | 'uppy', options: Readonly<Record<string, unknown>>): Promise<string> {
  return withPage(chrome, async (page) => {
    await page.goto(site.origin)
    return page.evaluate(
      `fetch('/content').then((r) => r.blob()).then((blob) =>
        clients.${client}(new File([blob], 'a.bin'), ${JSON.stringify(options)}))`,
    )
  })
}

const OPTIONS: Readonly<Record<string, readonly ['tus' | 'uppy', Readonly<Record<string, unknown>>]>> = {
  'tus-js-client': ['tus', {}],
  'tus-js-client, parallelUploads': ['tus', { parallelUploads: 4 }],
  'tus-js-client, uploadDataDuringCreation': ['tus', { uploadDataDuringCreation: true }],
  'tus-js-client, overridePatchMethod and chunkSize': ['tus', { overridePatchMethod: true, chunkSize: 1_000_000 }],
  Uppy: ['uppy', {}],
  'Uppy, parallelUploads': ['uppy', { parallelUploads: 3 }],
}

describe('A page of another origin, in Chromium,', () => {
  it.each(Object.entries(OPTIONS))('uploads: %s', async (_, [client, options]) => {
    service = await startService({ ALLOWED_ORIGINS: site.origin })
    const url = await uploadInPage(client, { endpoint: `${service.url}/files`, retryDelays: RETRIES, ...options })
    await expectFile(service, `${service.url}/files/${idOf(url)}`, content)
  })

  it.each(Object.entries(OPTIONS))(
    'uploads over a connection that breaks at random places: %s',
    async (_, [client, options]) => {
      service = await startService({ ALLOWED_ORIGINS: site.origin })
      const proxy = await startFaultyProxy(service.url, 7, 10, 2_000_000)
      try {
        const url = await uploadInPage(client, { endpoint: `${proxy.url}/files`, retryDelays: RETRIES, ...options })
        await expectFile(service, `${service.url}/files/${idOf(url)}`, content)
        expect(proxy.cuts).toBeGreaterThan(2)
      } finally {
        await proxy.close()
      }
    },
  )

  it('reads the status, the code, and the headers of an error', async () => {
    service = await startService({ ALLOWED_ORIGINS: site.origin })
    const reported = await withPage(chrome, async (page) => {
      await page.goto(site.origin)
      return page.evaluate(
        `fetch('${service.url}/files/${'0'.repeat(32)}', { method: 'HEAD', credentials: 'include', headers: { 'Tus-Resumable': '1.0.0' } })
          .then((r) => [r.status, r.headers.get('Upload-Error'), r.headers.get('Tus-Resumable')])`,
      )
    })
    expect(reported).toEqual([404, 'not_found', '1.0.0'])
  })
})
