import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import { afterEach, describe, expect, it } from '@jest/globals'
import Koa from 'koa'
import pino from 'pino'
import { createLandfall, type Landfall, type LandfallOptions } from '../../server/landfall.ts'
import { UPLOADED, uploadOverBrokenConnections } from '../support/broken-upload.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { closeServer, listenLocally } from '../support/http-server.ts'
import { create, locationOf, patch, TUS } from '../support/tus.ts'

let folder: TemporaryFolder
let landfall: Landfall
let server: http.Server | undefined
afterEach(async () => {
  if (server !== undefined) await closeServer(server)
  server = undefined
  await landfall.close()
  await folder.dispose()
})

async function open(options: Partial<LandfallOptions> = {}): Promise<Landfall> {
  folder = await temporaryFolder()
  landfall = await createLandfall({ dataDir: folder.path, logLevel: 'silent', drain: 1, ...options })
  return landfall
}

async function serve(listener: http.RequestListener): Promise<string> {
  server = http.createServer(listener)
  return listenLocally(server)
}

/** Strips `/uploads`, as Express does. */
function stripping(handler: Landfall['handler']): http.RequestListener {
  return (request, response) => {
    const originalUrl = request.url ?? '/'
    if (!originalUrl.startsWith('/uploads/')) {
      response.end('the application')
      return
    }
    Object.assign(request, { originalUrl, url: originalUrl.slice('/uploads'.length) })
    handler(request, response, () => response.end('the next handler'))
  }
}

describe('A mounted service', () => {
  it.each(['handler', 'koa'] as const)('keeps nothing of a client that has gone before its %s ran', async (way) => {
    const { handler, koa, close } = await open({ drain: 60 })
    const passed = new EventEmitter()
    const base = await serve((request, response) => {
      response.once('close', async () => {
        if (way === 'handler') handler(request, response)
        else await koa()({ req: request, res: response, originalUrl: request.url ?? '' }, async () => undefined)
        passed.emit('passed')
      })
      request.destroy()
    })
    await Promise.all([once(passed, 'passed'), create(base, { 'Upload-Length': '5' }).catch(() => undefined)])
    // It would wait for `drain`.
    await close()
  })

  it('resumes uploads at a server of node:http', async () => {
    const { handler } = await open()
    const base = await serve(handler)
    const upload = await uploadOverBrokenConnections(base, '/files')
    expect(upload.resumed).toBeGreaterThan(0)
    expect(UPLOADED.equals(await bytesAt(base + upload.path))).toBe(true)
  })

  it('names uploads by the path below which a router has mounted it', async () => {
    const { handler } = await open()
    const base = await serve(stripping(handler))
    const upload = await uploadOverBrokenConnections(base, '/uploads/files')
    expect(upload.path).toMatch(/^\/uploads\/files\/[^/]+$/)
    expect(UPLOADED.equals(await bytesAt(base + upload.path))).toBe(true)
  })

  it('names uploads by its base path where nothing strips that', async () => {
    const { handler } = await open({ basePath: '/api/uploads' })
    const base = await serve(handler)
    const upload = await uploadOverBrokenConnections(base, '/api/uploads/files')
    expect(upload.path).toMatch(/^\/api\/uploads\/files\/[^/]+$/)
    expect(UPLOADED.equals(await bytesAt(base + upload.path))).toBe(true)
    expect((await fetch(`${base}/files`, { method: 'OPTIONS' })).status).toBe(404)
  })

  it.each(['/', '/files/a/b', '/filesystem', '/check', '/session', '/healthz', '/uploads'])(
    'passes %s on to the next handler',
    async (path) => {
      const { handler } = await open()
      const base = await serve((request, response) => handler(request, response, () => response.end('next')))
      expect(await (await fetch(base + path)).text()).toBe('next')
    },
  )

  it('passes paths beyond its base path on to the next handler', async () => {
    const { handler } = await open({ basePath: '/uploads' })
    const base = await serve((request, response) => handler(request, response, () => response.end('next')))
    expect(await (await fetch(`${base}/files`)).text()).toBe('next')
    expect(await (await fetch(`${base}/uploadsfiles`)).text()).toBe('next')
    expect((await fetch(`${base}/uploads/files`, { method: 'OPTIONS' })).headers.get('Tus-Version')).toBe('1.0.0')
  })

  it('names uploads by a path with encoded and other characters', async () => {
    const { handler } = await open()
    const base = await serve((request, response) => {
      Object.assign(request, { originalUrl: `/of%20a:b@c${request.url}` })
      handler(request, response)
    })
    const response = await create(base, { 'Upload-Length': '0' })
    expect(response.headers.get('Location')).toMatch(/\/of%20a:b@c\/files\/[^/]+$/)
  })

  it('understands targets in absolute form below its path', async () => {
    const { handler } = await open({ basePath: '/uploads' })
    const base = await serve((request, response) => handler(request, response, () => response.end('next')))
    const { hostname, port } = new URL(base)
    const request = http.request({ hostname, port, path: `${base}/uploads/files`, method: 'OPTIONS' }).end()
    const [response] = await once(request, 'response')
    expect(response.headers['tus-version']).toBe('1.0.0')
    response.resume()
  })

  it.each(['/../a', '/a/%2e%2e', '//a', '/a b', '/a?b', 'a'])('has no base path like %s', async (basePath) => {
    await open()
    await expect(createLandfall({ dataDir: folder.path, basePath })).rejects.toThrow('basePath must be a path')
  })

  it('answers a prefix that browsers resolve to another host with a path of its own', async () => {
    const { handler } = await open()
    const base = await serve((request, response) => {
      Object.assign(request, { originalUrl: '//evil.example/files', url: '/files' })
      handler(request, response)
    })
    const response = await create(base, { 'Upload-Length': '0' })
    expect(response.headers.get('Location')).not.toContain('evil')
  })

  it('refuses a body that a parser of the application has read, in a sentence that says so', async () => {
    const { handler } = await open()
    const base = await serve(async (request, response) => {
      for await (const _ of request);
      handler(request, response)
    })
    const response = await create(
      base,
      { 'Upload-Length': '5', 'Content-Type': 'application/offset+octet-stream' },
      'hello',
    )
    expect(response.status).toBe(500)
    expect(await response.text()).toMatch(/body parser/)
  })

  it('is middleware for Koa', async () => {
    const { koa } = await open({ basePath: '/uploads' })
    const app = new Koa()
    app.silent = true
    app.use(koa())
    app.use((ctx) => {
      ctx.body = 'the application'
    })
    const base = await serve(app.callback())
    const upload = await uploadOverBrokenConnections(base, '/uploads/files')
    expect(UPLOADED.equals(await bytesAt(base + upload.path))).toBe(true)
    expect(await (await fetch(`${base}/`)).text()).toBe('the application')
  })

  it('finishes a running request before it closes', async () => {
    const { handler, close } = await open({ drain: 20 })
    const base = await serve(handler)
    const url = locationOf(await create(base, { 'Upload-Length': '10' }), base)
    const { hostname, port, pathname } = new URL(url)
    const request = http.request({
      hostname,
      port,
      path: pathname,
      method: 'PATCH',
      headers: {
        ...TUS,
        'Upload-Offset': '0',
        'Content-Type': 'application/offset+octet-stream',
        'Content-Length': 10,
      },
    })
    const answered = new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve))
    request.write('hello')
    while ((await (await fetch(url, { method: 'HEAD', headers: TUS })).headers.get('Upload-Offset')) === '0');
    const closed = close()
    expect((await create(base, { 'Upload-Length': '1' })).status).toBe(503)
    request.end('world')
    expect((await answered).statusCode).toBe(204)
    await closed
  })

  it('shares a process with another one', async () => {
    const { handler } = await open()
    const other = await temporaryFolder()
    const second = await createLandfall({ dataDir: other.path, logLevel: 'silent', basePath: '/second' })
    const base = await serve((request, response) => second.handler(request, response, () => handler(request, response)))
    const first = locationOf(await create(base, { 'Upload-Length': '5' }), base)
    const url = locationOf(await createAt(`${base}/second/files`), base)
    expect((await patch(first, 0, new TextEncoder().encode('hello'))).status).toBe(204)
    expect((await patch(url, 0, new TextEncoder().encode('world'))).status).toBe(204)
    expect(await (await fetch(first)).text()).toBe('hello')
    expect(await (await fetch(url)).text()).toBe('world')
    await second.close()
    await other.dispose()
  })

  it('accepts any host of the application if that authorizes requests, and otherwise those of the settings', async () => {
    const { handler } = await open({ publicUrl: 'https://files.example' })
    const other = await temporaryFolder()
    const authorizing = { dataDir: other.path, basePath: '/second', authorize: () => 'anonymous' as const }
    const second = await createLandfall({ ...authorizing, logLevel: 'silent' })
    const base = await serve((request, response) => second.handler(request, response, () => handler(request, response)))
    expect(await statusAt(`${base}/files`, 'files.example')).toBe(204)
    expect(await statusAt(`${base}/files`, 'evil.example')).toBe(421)
    expect(await statusAt(`${base}/second/files`, 'app.example')).toBe(204)
    await second.close()
    await other.dispose()
  })

  it('warns once of a server that would end long uploads', async () => {
    const lines: string[] = []
    const { handler } = await open({ logger: pino({}, { write: (line: string) => void lines.push(line) }) })
    const base = await serve(handler)
    await fetch(`${base}/files`, { method: 'OPTIONS' })
    await fetch(`${base}/files`, { method: 'OPTIONS' })
    expect(lines.filter((line) => line.includes('requestTimeout'))).toHaveLength(1)
  })

  it('does not warn of a server without such a limit', async () => {
    const lines: string[] = []
    const { handler } = await open({ logger: pino({}, { write: (line: string) => void lines.push(line) }) })
    server = http.createServer({ requestTimeout: 0 }, handler)
    await fetch(`${await listenLocally(server)}/files`, { method: 'OPTIONS' })
    expect(lines).toEqual([])
  })

  it('closes once, however often it is asked to', async () => {
    const { close } = await open()
    await Promise.all([close(), close()])
    await close()
  })

  it('opens a server of its own', async () => {
    const { listen } = await open({ port: 0 })
    const base = await listen()
    expect((await create(base, { 'Upload-Length': '0' })).status).toBe(201)
  })
})

function createAt(endpoint: string): Promise<Response> {
  return fetch(endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Length': '5' } })
}

async function bytesAt(url: string): Promise<Uint8Array> {
  return Buffer.from(await (await fetch(url)).arrayBuffer())
}

/** The status of an OPTIONS request with this host. */
function statusAt(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'OPTIONS', headers: { Host: host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject).end()
  })
}
