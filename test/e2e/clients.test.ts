import { execFile } from 'node:child_process'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { startService, type TestService } from '../support/service.ts'
import { bytesOf, expectFile, idOf } from '../tus/steps.ts'
import { launchChrome, withPage } from './support/chrome.ts'

jest.setTimeout(120_000)

const SIZE = 6_000_001
const content = bytesOf(SIZE)
const RETRIES = Array.from({ length: 40 }, (_, i) => Math.min(i * 20, 200))

let chrome: Browser
let script: string
/** A site of its own, whose pages use the service across origins. */
let site: http.Server
let service: TestService

beforeAll(async () => {
  script = await bundle()
  chrome = await launchChrome()
  site = http.createServer((request, response) => {
    if (request.url === '/content') return response.end(content)
    response.setHeader('Content-Type', request.url === '/clients.js' ? 'text/javascript' : 'text/html')
    response.end(request.url === '/clients.js' ? script : '<!doctype html><script src="/clients.js"></script>')
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
})
afterEach(() => service.close())
afterAll(async () => {
  await chrome.close()
  site.close()
})

async function bundle(): Promise<string> {
  const bundler = fileURLToPath(new URL('pages/bundle.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [bundler], {
    env: { PATH: process.env['PATH'] ?? '' },
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout
}

const origin = (): string => {
  const address: AddressInfo | string | null = site.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

/** Uploads the content in a page with one of its clients. @returns the URL of the upload. */
function uploadInPage(client: 'tus' | 'uppy', options: Readonly<Record<string, unknown>>): Promise<string> {
  return withPage(chrome, async (page) => {
    await page.goto(origin())
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

describe('a page of another origin, in Chromium', () => {
  it.each(Object.entries(OPTIONS))('uploads: %s', async (_, [client, options]) => {
    service = await startService({ ALLOWED_ORIGINS: origin() })
    const url = await uploadInPage(client, { endpoint: `${service.url}/files`, retryDelays: RETRIES, ...options })
    await expectFile(service, `${service.url}/files/${idOf(url)}`, content)
  })

  it.each(Object.entries(OPTIONS))(
    'uploads over a connection that breaks at random places: %s',
    async (_, [client, options]) => {
      service = await startService({ ALLOWED_ORIGINS: origin() })
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
    service = await startService({ ALLOWED_ORIGINS: origin() })
    const told = await withPage(chrome, async (page) => {
      await page.goto(origin())
      return page.evaluate(
        `fetch('${service.url}/files/${'0'.repeat(32)}', { method: 'HEAD', credentials: 'include', headers: { 'Tus-Resumable': '1.0.0' } })
          .then((r) => [r.status, r.headers.get('Upload-Error'), r.headers.get('Tus-Resumable')])`,
      )
    })
    expect(told).toEqual([404, 'not_found', '1.0.0'])
  })
})
