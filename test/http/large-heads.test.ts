import http from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { type Nginx, startNginx } from '../support/nginx.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence } from '../support/stored-uploads.ts'
import { create, createUpload, head, locationOf, patch, TUS } from '../support/tus.ts'
import { connect, requestHead, until } from '../support/wire.ts'

let service: TestService
let nginx: Nginx
beforeAll(async () => {
  service = await startService({ SYNC: 'never', MAX_METADATA: '0' })
  nginx = await startNginx(service.url)
})
afterAll(async () => {
  await nginx.close()
  await service.close()
})

const base64 = (length: number): string => 'a'.repeat(length - (length % 4))

/** The headers of a HEAD as Node's client parses them, up to 16 KiB. */
function headersOf(url: string): Promise<http.IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const asked = http.request(url, { method: 'HEAD', headers: TUS })
    asked.on('error', reject).on('response', (response) => {
      response.resume()
      resolve(response.headers)
    })
    asked.end()
  })
}

async function partUrls(count: number): Promise<string[]> {
  const part = async (): Promise<string> =>
    locationOf(await create(service.url, { 'Upload-Length': '0', 'Upload-Concat': 'partial' }), service.url)
  const urls: string[] = []
  while (urls.length < count) {
    urls.push(...(await Promise.all(Array.from({ length: Math.min(50, count - urls.length) }, part))))
  }
  return urls
}

describe('Upload-Concat', () => {
  const PARTS = 2_000
  /** A host and a path for URLs of 100 bytes. */
  const PREFIX = `https://uploads.example.com/${'p'.repeat(26)}`

  it('may list 2,000 parts by relative or absolute URLs, directly and through nginx, and HEAD remains readable', async () => {
    const missing = Array.from({ length: PARTS }, (_, i) => `/files/${String(i).padStart(32, '0')}`)
    for (const base of [service.url, nginx.url]) {
      for (const urls of [missing, missing.map((path) => `${PREFIX}${path}`)]) {
        const response = await create(base, { 'Upload-Concat': `final;${urls.join(' ')}`, Cookie: 'c'.repeat(20_000) })
        // All parts were parsed: the error is that they do not exist.
        expect([response.status, response.headers.get('Upload-Error')]).toEqual([422, 'part_gone'])
      }
    }
  })

  it('is shortened in HEAD only if all parts would make the response unreadable', async () => {
    const [first = '', ...others] = await partUrls(40)
    const content = bytesOf(10)
    const filled = await createPart(content)
    const join = (urls: readonly string[], prefix = ''): Promise<Response> =>
      create(service.url, { 'Upload-Concat': `final;${urls.map((url) => prefix + new URL(url).pathname).join(' ')}` })
    const many = locationOf(await join([filled, ...others], `/${'p'.repeat(500)}`), service.url)
    await expectFile(service, many, content)
    expect((await headersOf(many))['upload-concat']).toBe('final;')
    expect((await headersOf(many))['upload-length']).toBe('10')
    const few = locationOf(await join([first]), service.url)
    expect((await headersOf(few))['upload-concat']).toBe(`final;${new URL(first).pathname}`)
  })

  async function createPart(content: Buffer<ArrayBuffer>): Promise<string> {
    const length = { 'Upload-Length': String(content.length), 'Upload-Concat': 'partial' }
    const url = locationOf(await create(service.url, length), service.url)
    expect((await patch(url, 0, content)).status).toBe(204)
    return url
  }
})

describe('Metadata and cookies', () => {
  it.each([100, 8_000, 14_000])('of %d bytes are returned as sent, directly and through nginx', async (length) => {
    const metadata = `filename ${base64(length)}`
    const path = new URL(
      locationOf(await create(service.url, { 'Upload-Length': '5', 'Upload-Metadata': metadata }), service.url),
    ).pathname
    for (const base of [service.url, nginx.url])
      expect((await headersOf(`${base}${path}`))['upload-metadata']).toBe(metadata)
  })

  it('of 20,000 bytes each are accepted, and the upload can be queried and resumed', async () => {
    const headers = {
      'Upload-Length': '5',
      'Upload-Metadata': `filename ${base64(20_000)}`,
      Cookie: `c=${'c'.repeat(20_000)}`,
    }
    for (const base of [service.url, nginx.url]) {
      const url = locationOf(await create(base, headers), base)
      expect((await headersOf(url))['upload-offset']).toBe('0')
      expect((await patch(url, 0, bytesOf(5))).status).toBe(204)
      await expectFile(service, `${service.url}${new URL(url).pathname}`, bytesOf(5))
    }
  })

  it.each([
    ['metadata', { 'Upload-Metadata': `filename ${base64(25_000)}` }, 'Upload-Metadata'],
    ['a cookie', { Cookie: 'c'.repeat(25_000) }, 'Cookie'],
    ['a name', { 'Content-Disposition': `attachment; filename=${'n'.repeat(25_000)}` }, 'Content-Disposition'],
  ])('that are longer are refused by name: %s', async (_, headers, name) => {
    const wire = await connect(service.url)
    await wire.send(requestHead('POST', '/files', { ...TUS, 'Upload-Length': 5, ...headers }))
    const { status, body, headers: reported } = await wire.answer()
    expect([status, reported.get('Upload-Error')]).toEqual([431, 'header_too_large'])
    expectSentence(body, service)
    expect(body.toLowerCase()).toContain(name.toLowerCase())
    await wire.closed
  })

  it('cannot evade the limit with many lines', async () => {
    const wire = await connect(service.url)
    const lines = `Upload-Metadata: filename ${base64(20_000)}\r\n`.repeat(5)
    await wire.send(
      `POST /files HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n${lines}\r\n`,
    )
    expect((await wire.answer()).status).toBe(431)
    await wire.closed
  })
})

describe('Request heads that never end', () => {
  it('are closed when they take too much memory together, while another client is served', async () => {
    const begun = `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${`X: ${'x'.repeat(20_000)}\r\n`.repeat(12)}`
    const upload = await createUpload(service.url, 5)
    const connections = await Promise.all(Array.from({ length: 200 }, () => connect(service.url)))
    let closed = 0
    for (const wire of connections) wire.closed.then(() => closed++)
    const other = await connect(service.url, '127.0.0.2')
    await Promise.all(connections.map((wire) => wire.send(begun)))
    await until(async () => closed >= 100)
    await other.send(requestHead('HEAD', new URL(upload).pathname, TUS))
    expect((await other.answer('HEAD')).status).toBe(200)
    expect((await head(upload)).status).toBe(200)
    for (const wire of [...connections, other]) await wire.cut()
  })
})
