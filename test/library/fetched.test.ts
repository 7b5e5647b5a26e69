import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createLandfall, type Landfall } from '../../server/landfall.ts'
import { UPLOADED, uploadOverBrokenConnections } from '../support/broken-upload.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { closeServer, listenLocally } from '../support/http-server.ts'
import { openFiles } from '../support/open-files.ts'
import { TUS } from '../support/tus.ts'

const ENDPOINT = 'http://127.0.0.1/api/uploads/files'
const OCTETS = { ...TUS, 'Content-Type': 'application/offset+octet-stream' }

let folder: TemporaryFolder
let landfall: Landfall
beforeEach(async () => {
  folder = await temporaryFolder()
  landfall = await createLandfall({ dataDir: folder.path, logLevel: 'silent', basePath: '/api/uploads' })
})
afterEach(async () => {
  await landfall.close()
  await folder.dispose()
})

async function created(length: number): Promise<string> {
  const headers = { ...TUS, 'Upload-Length': String(length) }
  const response = await landfall.fetch(new Request(ENDPOINT, { method: 'POST', headers }))
  expect(response.status).toBe(201)
  return new URL(response.headers.get('Location') ?? '', ENDPOINT).href
}

function append(url: string, offset: number, body: BodyInit): Promise<Response> {
  const headers = { ...OCTETS, 'Upload-Offset': String(offset) }
  return landfall.fetch(new Request(url, { method: 'PATCH', headers, body, duplex: 'half' } as RequestInit))
}

describe('A service for the Fetch API', () => {
  it('receives and serves a file', async () => {
    const url = await created(UPLOADED.length)
    const appended = await append(url, 0, new Uint8Array(UPLOADED))
    expect(appended.status).toBe(204)
    expect(appended.headers.get('Upload-Offset')).toBe(String(UPLOADED.length))
    const file = await landfall.fetch(new Request(url))
    expect(UPLOADED.equals(Buffer.from(await file.arrayBuffer()))).toBe(true)
  })

  it('receives a body without a length', async () => {
    const url = await created(10)
    const stream = Readable.toWeb(Readable.from([Buffer.from('hello'), Buffer.from('world')]))
    expect((await append(url, 0, stream as unknown as BodyInit)).status).toBe(204)
    expect(await (await landfall.fetch(new Request(url))).text()).toBe('helloworld')
  })

  it('deletes an upload by a request with a body without a length', async () => {
    const url = await created(10)
    const body = Readable.toWeb(Readable.from([Buffer.from('a reason')])) as unknown as BodyInit
    const request = new Request(url, { method: 'DELETE', headers: TUS, body, duplex: 'half' } as RequestInit)
    expect((await landfall.fetch(request)).status).toBe(204)
  })

  it('keeps the bytes of a body that breaks off', async () => {
    const url = await created(10)
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('hello')),
      pull: async (controller) => {
        const head = new Request(url, { method: 'HEAD', headers: TUS })
        while ((await landfall.fetch(head)).headers.get('Upload-Offset') === '0');
        controller.error(new Error('The client is gone.'))
      },
    })
    await expect(append(url, 0, broken)).rejects.toThrow()
    const state = await landfall.fetch(new Request(url, { method: 'HEAD', headers: TUS }))
    expect(state.headers.get('Upload-Offset')).toBe('5')
  })

  it('fails when a body breaks off without a reason', async () => {
    const url = await created(10)
    const broken = new ReadableStream({ pull: (controller) => controller.error() })
    await expect(append(url, 0, broken)).rejects.toThrow('broke off')
  })

  it('answers a request whose client has gone, so that no framework logs an error', async () => {
    const url = await created(10)
    const gone = new AbortController()
    const started = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('hello')) })
    const headers = { ...OCTETS, 'Upload-Offset': '0' }
    const init = { method: 'PATCH', headers, body: started, duplex: 'half', signal: gone.signal } as RequestInit
    const answered = landfall.fetch(new Request(url, init))
    const head = new Request(url, { method: 'HEAD', headers: TUS })
    while ((await landfall.fetch(head)).headers.get('Upload-Offset') === '0');
    gone.abort()
    expect((await answered).status).toBe(499)
    expect((await landfall.fetch(head)).headers.get('Upload-Offset')).toBe('5')
  })

  it('refuses a body that was read before it', async () => {
    const request = new Request(ENDPOINT, {
      method: 'POST',
      headers: { ...OCTETS, 'Upload-Length': '5' },
      body: 'hello',
    })
    await request.text()
    await expect(landfall.fetch(request)).rejects.toThrow(/has been read/)
  })

  it('answers without a body where a response must not have one', async () => {
    const url = await created(0)
    for (const [method, status] of [
      ['HEAD', 200],
      ['DELETE', 204],
      ['OPTIONS', 204],
    ] as const) {
      const response = await landfall.fetch(new Request(url, { method, headers: TUS }))
      expect([method, response.status, response.body]).toEqual([method, status, null])
    }
  })

  it('ends a download that no client reads any more', async () => {
    const url = await created(UPLOADED.length)
    await append(url, 0, new Uint8Array(UPLOADED))
    const file = await landfall.fetch(new Request(url))
    const reader = file.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    expect((await landfall.fetch(new Request(url, { method: 'DELETE', headers: TUS }))).status).toBe(204)
  })

  it('ends a download of which nothing is read', async () => {
    await landfall.close()
    landfall = await createLandfall({
      dataDir: folder.path,
      logLevel: 'silent',
      basePath: '/api/uploads',
      idleTimeout: 1_000,
    })
    const url = await created(UPLOADED.length)
    await append(url, 0, new Uint8Array(UPLOADED))
    const file = await landfall.fetch(new Request(url))
    expect(await openFiles(process.pid, `${folder.path}/files`)).toHaveLength(1)
    while ((await openFiles(process.pid, `${folder.path}/files`)).length > 0);
    await expect(file.arrayBuffer()).rejects.toThrow('too long')
  })

  it('resumes uploads behind a server that speaks HTTP', async () => {
    const server = createServer(async (request, response) => {
      const isBodyless = request.method === 'GET' || request.method === 'HEAD'
      const answer = await landfall
        .fetch(
          new Request(`http://127.0.0.1${request.url}`, {
            method: request.method ?? 'GET',
            headers: Object.entries(request.headers).flatMap(([name, value]) =>
              typeof value === 'string' ? [[name, value] as [string, string]] : [],
            ),
            ...(isBodyless ? {} : { body: Readable.toWeb(request), duplex: 'half' }),
          } as RequestInit),
        )
        .catch(() => undefined)
      if (answer === undefined) return void response.destroy()
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.end(Buffer.from(await answer.arrayBuffer()))
    })
    const base = await listenLocally(server)
    const { path, resumed } = await uploadOverBrokenConnections(base, '/api/uploads/files')
    expect(resumed).toBeGreaterThan(0)
    const file = await landfall.fetch(new Request(`http://127.0.0.1${path}`))
    expect(UPLOADED.equals(Buffer.from(await file.arrayBuffer()))).toBe(true)
    await closeServer(server)
  })
})
