import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Nginx, startNginx } from '../support/nginx.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

jest.setTimeout(120_000)

const body = Buffer.alloc(64 * MIB, 'x')
const MISSING = `/files/${'0'.repeat(32)}`

/** A request with a large body that is refused before the body is read. */
interface Refused {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly status: number
}

let service: TestService
let nginx: Nginx
let chrome: Browser
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let refused: readonly Refused[]
beforeAll(async () => {
  service = await startService()
  nginx = await startNginx(service.url)
  chrome = await launchChrome()
  folder = await temporaryFolder()
  await writeFile(path.join(folder.path, 'body'), body)
  const pathname = new URL(await createUpload(service.url, 1000)).pathname
  const append = { ...PATCH_HEADERS, 'Upload-Offset': '0' }
  refused = [
    { method: 'PATCH', path: MISSING, headers: append, status: 404 },
    { method: 'PATCH', path: pathname, headers: { ...append, 'Upload-Offset': '7' }, status: 409 },
    { method: 'PATCH', path: pathname, headers: append, status: 413 },
    { method: 'PATCH', path: pathname, headers: { ...append, 'Content-Type': 'text/plain' }, status: 415 },
    { method: 'POST', path: '/files', headers: { ...TUS, 'Content-Type': 'text/plain' }, status: 400 },
    { method: 'PUT', path: pathname, headers: append, status: 405 },
    { method: 'POST', path: '/upload/accept', headers: { 'Content-Type': 'multipart/mixed; boundary=x' }, status: 415 },
    { method: 'POST', path: '/upload/accept', headers: { 'Content-Type': 'text/plain' }, status: 400 },
    { method: 'POST', path: '/upload/complete', headers: { 'Content-Type': 'text/plain' }, status: 413 },
    { method: 'POST', path: '/check', headers: { 'Content-Type': 'text/plain' }, status: 200 },
  ]
})
afterAll(async () => {
  await chrome.close()
  await nginx.close()
  await service.close()
  await folder.dispose()
})

/** @returns the status, and whether the response has a sentence or a list. */
type Client = (base: string, request: Refused) => Promise<readonly [status: number, reported: boolean]>

const byFetch: Client = async (base, { method, path, headers }) => {
  const response = await fetch(`${base}${path}`, { method, headers, body })
  return [response.status, (await response.text()).length > 0]
}

/** @param agent `false`: a connection for this request only, as it announces. */
const byNode =
  (agent: false | undefined): Client =>
  (base, { method, path, headers }) =>
    new Promise((resolve, reject) => {
      const length = { 'Content-Length': body.length }
      const sent = http.request(`${base}${path}`, { method, headers: { ...headers, ...length }, agent })
      sent.on('error', reject).on('response', (response) => {
        let text = ''
        response.on('data', (bytes) => {
          text += bytes
        })
        response.on('error', reject).on('end', () => resolve([response.statusCode ?? 0, text.length > 0]))
      })
      sent.end(body)
    })

/** @param more a header that replaces that of curl. */
const byCurl =
  (more: string): Client =>
  async (base, { method, path: to, headers }) => {
    const lines = [...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), more]
    const { stdout } = await promisify(execFile)('curl', [
      ...['--silent', '--show-error', '--request', method, '--data-binary', `@${path.join(folder.path, 'body')}`],
      ...lines.flatMap((line) => ['--header', line]),
      ...['--write-out', '\n%{http_code}', `${base}${to}`],
    ])
    const end = stdout.lastIndexOf('\n')
    return [Number(stdout.slice(end)), end > 0]
  }

/** Reads only after it has sent everything, on a connection that ends with the response. */
const thatSendsFirst: Client = (base, { method, path, headers }) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base)
    const socket = net.connect({ host: hostname, port: Number(port) }).pause()
    const more = { 'Content-Length': body.length, Connection: 'close' }
    let text = ''
    socket.on('error', reject).on('end', () => {
      socket.destroy()
      const [head = '', reported = ''] = text.split('\r\n\r\n')
      resolve([Number(head.split(' ')[1]), reported.length > 0])
    })
    socket.on('data', (bytes) => {
      text += bytes
    })
    socket.pause()
    socket.write(requestHead(method, path, { ...headers, ...more }))
    socket.write(body, () => socket.resume())
  })

/** Sends all requests in one page, one after another. */
function inChromium(base: string, requests: readonly Refused[]): Promise<unknown> {
  return withPage(chrome, async (page) => {
    await page.goto(`${base}/`)
    return page.evaluate(
      `(async () => {
        const body = new Blob([new Uint8Array(${body.length})])
        const answers = []
        for (const { method, path, headers } of ${JSON.stringify(requests)}) {
          answers.push(await new Promise((resolve) => {
            const request = new XMLHttpRequest()
            request.open(method, path)
            for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
            request.onloadend = () => resolve([request.status, request.responseText.length > 0])
            request.send(body)
          }))
        }
        return answers
      })()`,
    )
  })
}

const CLIENTS: Readonly<Record<string, Client>> = {
  fetch: byFetch,
  'http.request': byNode(undefined),
  'http.request on a connection that ends with it': byNode(false),
  'one that sends before it listens, on a connection that ends with the answer': thatSendsFirst,
  'curl, which does not wait to be asked': byCurl('Expect:'),
  'curl, on a connection that ends with the answer': byCurl('Connection: close'),
}

describe.each(['directly', 'behind nginx'])('A client that is refused while it sends a large body, %s,', (how) => {
  const base = (): string => (how === 'directly' ? service.url : nginx.url)

  it.each(Object.entries(CLIENTS))('sees the response (%s)', async (_, client) => {
    for (const request of refused) {
      expect([request, await client(base(), request)]).toEqual([request, [request.status, true]])
    }
  })

  it('sees the response in a page in Chromium', async () => {
    const expected = refused.map(({ status }) => [status, true])
    expect(await inChromium(base(), refused)).toEqual(expected)
  })
})

describe('A client that continues to send a refused body', () => {
  it('receives its response at once, and is disconnected when it sends too much', async () => {
    const wire = await connect(service.url)
    const length = 1024 * MIB
    await wire.send(requestHead('PATCH', MISSING, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': length }))
    expect((await wire.answer()).status).toBe(404)
    let isCut = false
    const cut = wire.closed.then(() => {
      isCut = true
    })
    let sent = 0
    while (!isCut && sent < length) {
      await wire.send(body.subarray(0, MIB))
      sent += MIB
    }
    await cut
    expect(sent).toBeLessThan(length)
  })
})
