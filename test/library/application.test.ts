import { EventEmitter, once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  createLandfall,
  type Landfall,
  type LandfallEvent,
  type LandfallOptions,
  Refusal,
  type UploadView,
} from '../../server/landfall.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { closeServer, listenLocally } from '../support/http-server.ts'
import { create, createUpload, head, idOf, locationOf, patch, TUS } from '../support/tus.ts'

const HELLO = new TextEncoder().encode('hello')

let folder: TemporaryFolder | undefined
let landfall: Landfall
let server: http.Server
let base: string
afterEach(async () => {
  await closeServer(server)
  await landfall.close()
  await folder?.dispose()
  folder = undefined
})

async function open(options: Partial<LandfallOptions> = {}): Promise<void> {
  folder ??= await temporaryFolder()
  landfall = await createLandfall({ dataDir: folder.path, logLevel: 'silent', drain: 1, ...options })
  server = http.createServer(landfall.handler)
  base = await listenLocally(server)
}

async function finished(): Promise<string> {
  const url = await createUpload(base, 5)
  expect((await patch(url, 0, HELLO)).status).toBe(204)
  return url
}

describe('The function authorize', () => {
  it('decides on whose behalf each request runs', async () => {
    const intents: string[] = []
    await open({
      authorize: ({ intent, headers }) => {
        intents.push(intent)
        const subject = headers['x-user']?.[0]
        return subject === undefined ? undefined : { subject }
      },
    })
    const created = await create(base, { 'Upload-Length': '5', 'X-User': 'ann' })
    const url = locationOf(created, base)
    expect((await head(url)).status).toBe(401)
    expect((await fetch(url, { method: 'HEAD', headers: { ...TUS, 'X-User': 'ben' } })).status).toBe(404)
    expect((await fetch(url, { method: 'HEAD', headers: { ...TUS, 'X-User': 'ann' } })).status).toBe(200)
    expect((await fetch(url, { method: 'DELETE', headers: { ...TUS, 'X-User': 'ann' } })).status).toBe(204)
    expect(intents).toEqual(['create', 'read', 'read', 'read', 'delete'])
  })

  it('sees what other middleware has added to the message', async () => {
    let seen: unknown
    await open({
      authorize: ({ message }) => {
        seen = 'session' in message ? message.session : undefined
        return 'anonymous'
      },
    })
    await closeServer(server)
    server = http.createServer((request, response) => {
      landfall.handler(Object.assign(request, { session: 'a session' }), response)
    })
    base = await listenLocally(server)
    await createUpload(base, 5)
    expect(seen).toBe('a session')
  })

  it('sees the request that fetch has received', async () => {
    let seen: Request | undefined
    await open({
      authorize: ({ web }) => {
        seen = web
        return 'anonymous'
      },
    })
    const request = new Request('http://127.0.0.1/files', { method: 'POST', headers: { ...TUS, 'Upload-Length': '5' } })
    expect((await landfall.fetch(request)).status).toBe(201)
    expect(seen).toBe(request)
  })

  it('restricts what a user may do, and how much', async () => {
    await open({ authorize: () => ({ subject: 'ann', may: ['create', 'write'], maxSize: 5 }) })
    expect((await create(base, { 'Upload-Length': '6' })).status).toBe(413)
    const url = await finished()
    expect((await fetch(url)).status).toBe(403)
  })

  it.each([[''], [{}], [{ subject: '' }], [{ subject: undefined }], [true], [{ subject: 'ann', admin: true }]])(
    'grants nothing by %j, which is not a grant',
    async (grant) => {
      await open({ authorize: () => grant as never })
      expect((await create(base, { 'Upload-Length': '5' })).status).toBe(503)
    },
  )

  it('refuses with an answer of its own', async () => {
    await open({
      authorize: () => {
        throw new Refusal('Pay first.', { status: 402 })
      },
    })
    const response = await create(base, { 'Upload-Length': '5' })
    expect([response.status, await response.text()]).toEqual([402, 'Pay first.\n'])
  })

  it('says nothing of its own errors to clients', async () => {
    await open({
      authorize: () => {
        throw new Error('The password of the database is wrong.')
      },
    })
    const response = await create(base, { 'Upload-Length': '5' })
    expect(response.status).toBe(503)
    expect(await response.text()).not.toMatch(/database/)
  })
})

describe('The functions before a change', () => {
  it('changes a new upload', async () => {
    await open({
      beforeCreate: () => ({ id: 'mine', metadata: { filename: 'b.txt' }, headers: { 'X-Note': 'renamed' } }),
    })
    const response = await create(base, { 'Upload-Length': '5', 'Upload-Metadata': 'filename YS50eHQ=' })
    expect(response.headers.get('X-Note')).toBe('renamed')
    expect(idOf(locationOf(response, base))).toBe('mine')
    expect(await landfall.uploads.get('mine')).toMatchObject({ id: 'mine', name: 'b.txt', size: 5, offset: 0 })
  })

  it('chooses the place of a new file', async () => {
    await open({ beforeCreate: () => ({ path: 'orders/17/receipt.txt' }) })
    const { path = '' } = (await landfall.uploads.get(idOf(await finished()))) ?? {}
    expect(path).toMatch(/files\/orders\/17\/[^/]+\/receipt\.txt$/)
  })

  it('refuses a new upload', async () => {
    await open({
      beforeCreate: ({ size }) => {
        throw new Refusal(`${size} bytes are too many today.`)
      },
    })
    const response = await create(base, { 'Upload-Length': '5' })
    expect([response.status, await response.text()]).toEqual([400, '5 bytes are too many today.\n'])
  })

  it('reads a file before anyone else can, and answers its client', async () => {
    let read = ''
    await open({
      beforeFinish: async ({ path = '' }) => {
        read = await text((await import('node:fs')).createReadStream(path))
        return { headers: { 'X-Order': '17' }, result: { order: 17 } }
      },
    })
    const url = await createUpload(base, 5)
    const response = await patch(url, 0, HELLO)
    expect(read).toBe('hello')
    expect(response.headers.get('X-Order')).toBe('17')
    expect(JSON.parse((await head(url)).headers.get('Upload-Result') ?? '')).toEqual({ order: 17 })
  })

  it('rejects a file for good', async () => {
    await open({
      beforeFinish: () => {
        throw new Refusal('This file is not an image.')
      },
    })
    const url = await createUpload(base, 5)
    const response = await patch(url, 0, HELLO)
    expect([response.status, await response.text()]).toEqual([422, 'This file is not an image.\n'])
    expect((await head(url)).headers.get('Upload-Error')).toBe('rejected')
    expect((await fetch(url)).status).not.toBe(200)
  })

  it('rejects a file that comes with its creation, and keeps its bytes for the operator', async () => {
    await open({
      beforeFinish: () => {
        throw new Refusal('This is no picture.', { result: { code: 7 } })
      },
    })
    const headers = { 'Upload-Length': '5', 'Content-Type': 'application/offset+octet-stream' }
    const response = await create(base, headers, 'hello')
    expect([response.status, response.headers.get('Upload-Result')]).toEqual([422, '{"code":7}'])
    expect(response.headers.get('Location')).toBeNull()
    const [rejected = ''] = await readdir(path.join(folder?.path ?? '', 'quarantine'))
    expect(await readFile(path.join(folder?.path ?? '', 'quarantine', rejected), 'utf8')).toBe('hello')
  })

  it('is not waited for when the service closes', async () => {
    const asked = new EventEmitter()
    await open({
      drain: 0,
      beforeFinish: () => {
        asked.emit('asked')
        return new Promise<undefined>(() => undefined)
      },
    })
    const headers = { 'Upload-Length': '5', 'Content-Type': 'application/offset+octet-stream' }
    const isAsked = once(asked, 'asked')
    const response = create(base, headers, 'hello')
    await isAsked
    await landfall.close()
    expect((await response).status).toBe(503)
  })

  it('is asked again about a file after its own failure', async () => {
    let isBroken = true
    await open({
      beforeFinish: () => {
        if (isBroken) throw new Error('The database is down.')
      },
    })
    const url = await createUpload(base, 5)
    await patch(url, 0, HELLO)
    expect((await fetch(url)).status).not.toBe(200)
    isBroken = false
    await closeServer(server)
    await landfall.close()
    await open()
    const again = `${base}/files/${idOf(url)}`
    while ((await fetch(again)).status !== 200);
    expect(await (await fetch(again)).text()).toBe('hello')
  })

  it.each<[string, unknown]>([
    ['text', 'text'],
    ['a status that is text', { status: '201' }],
    ['a header that is a number', { headers: { 'X-Order': 17 } }],
    ['a header of two lines', { headers: { 'X-Order': 'a\r\nSet-Cookie: b' } }],
    ['a body that is a number', { body: 17 }],
    ['a body of megabytes', { body: 'x'.repeat(2_000_000) }],
    ['a result that is no JSON', { result: 17n }],
    ['a result too long for a header', { result: '\u6f22'.repeat(600) }],
  ])('keeps no answer that could not be given: %s', async (_, said) => {
    let answer: unknown = said
    const beforeFinish = (): never => {
      if (answer instanceof Error) throw answer
      return answer as never
    }
    await open({ beforeFinish })
    const urls = [await createUpload(base, 5), await createUpload(base, 5)] as const
    expect((await patch(urls[0], 0, HELLO)).status).toBe(503)
    // The same in a refusal.
    const refuse = (): never => {
      throw new Refusal('No.', said as never)
    }
    await closeServer(server)
    await landfall.close()
    await open({ beforeFinish: typeof said === 'string' ? beforeFinish : refuse })
    expect((await patch(`${base}/files/${idOf(urls[1])}`, 0, HELLO)).status).toBe(503)
    await closeServer(server)
    await landfall.close()
    answer = undefined
    await open({ beforeFinish })
    for (const url of urls) while ((await fetch(`${base}/files/${idOf(url)}`)).status !== 200);
  })

  it.each<[string, unknown]>([
    ['an id that is a number', { id: 17 }],
    ['metadata that is text', { metadata: 'a.txt' }],
    ['metadata with a value that is an object', { metadata: { filename: {} } }],
    ['metadata with a key of two lines', { metadata: { 'a\r\nb': 'c' } }],
    ['a folder that is a number', { folder: 17 }],
    ['a header of two lines', { headers: { 'X-Order': 'a\r\nb' } }],
  ])('creates nothing by an answer that could not be kept: %s', async (_, said) => {
    await open({ beforeCreate: () => said as never })
    expect((await create(base, { 'Upload-Length': '5' })).status).toBe(503)
    expect(await idsOf(landfall.uploads.list())).toEqual([])
  })

  it('neither keeps a file from being removed nor the service from closing when it never answers', async () => {
    const asked = new EventEmitter()
    await open({
      beforeFinish: ({ id }) => {
        asked.emit(id)
        return new Promise<undefined>(() => undefined)
      },
    })
    const urls = [await createUpload(base, 5), await createUpload(base, 5)] as const
    const arrived = urls.map((url) => once(asked, idOf(url)))
    const appended = urls.map((url) => patch(url, 0, HELLO).catch(() => undefined))
    await Promise.all(arrived)
    expect((await fetch(urls[0], { method: 'DELETE', headers: TUS })).status).toBe(204)
    await appended[0]
    await landfall.close()
    await appended[1]
    await closeServer(server)
    await open()
    while ((await fetch(`${base}/files/${idOf(urls[1])}`)).status !== 200);
  })

  it('refuses a deletion', async () => {
    await open({
      beforeDelete: () => {
        throw new Refusal('This file is in use.', { status: 409 })
      },
    })
    const url = await finished()
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(409)
    expect((await fetch(url)).status).toBe(200)
  })

  it('excludes hooks, which would decide the same', async () => {
    await open()
    const other = await temporaryFolder()
    const both = { dataDir: other.path, hooksUrl: 'http://127.0.0.1:9', beforeDelete: () => undefined }
    await expect(createLandfall(both)).rejects.toThrow('Hooks exclude')
    await other.dispose()
  })
})

describe('The events of uploads', () => {
  it('reports what happened, and to which upload', async () => {
    await open()
    const events: LandfallEvent[] = []
    for (const type of ['created', 'finished', 'deleted'] as const)
      landfall.events.on(type, (event) => events.push(event))
    const url = await finished()
    await fetch(url, { method: 'DELETE', headers: TUS })
    expect(events.map(({ type, upload, request }) => [type, upload.id, upload.offset, request?.method])).toEqual([
      ['created', idOf(url), 0, 'POST'],
      ['finished', idOf(url), 5, 'PATCH'],
      ['deleted', idOf(url), 5, 'DELETE'],
    ])
  })

  it('ends with the subscription', async () => {
    await open()
    let count = 0
    const off = landfall.events.on('finished', () => {
      count += 1
    })
    await finished()
    off()
    await finished()
    expect(count).toBe(1)
  })

  it('survives listeners that throw or reject', async () => {
    await open()
    landfall.events.on('finished', () => {
      throw new Error('thrown')
    })
    landfall.events.on('finished', async () => {
      throw new Error('rejected')
    })
    expect((await fetch(await finished())).status).toBe(200)
  })
})

describe('The uploads of the application', () => {
  it('are found, listed, read, and removed', async () => {
    await open()
    const url = await finished()
    const unfinished = await createUpload(base, 9)
    const { uploads } = landfall
    const view = await uploads.get(idOf(url))
    expect([view?.size, view?.finishedAt?.getFullYear()]).toEqual([5, new Date().getFullYear()])
    expect(await uploads.get('unknown')).toBeUndefined()
    expect(await idsOf(uploads.list())).toEqual([idOf(url), idOf(unfinished)].sort())
    expect(await idsOf(uploads.list({ finished: true }))).toEqual([idOf(url)])
    expect(await idsOf(uploads.list({ finished: false }))).toEqual([idOf(unfinished)])
    expect(await text(uploads.open(idOf(url)))).toBe('hello')
    expect(await text(uploads.open(idOf(url), { start: 1, end: 3 }))).toBe('el')
    expect(await uploads.remove(idOf(url))).toBe(true)
    expect(await uploads.remove(idOf(url))).toBe(false)
    expect((await fetch(url)).status).toBe(410)
  })

  it.each([
    ['an unknown upload', 'unknown', {}],
    ['a range beyond the file', undefined, { start: 2, end: 6 }],
    ['a range that ends before it begins', undefined, { start: 3, end: 2 }],
  ])('are not read as %s', async (_, id, range) => {
    await open()
    const url = await finished()
    const stream = landfall.uploads.open(id ?? idOf(url), range)
    const [error] = await once(stream.resume(), 'error')
    expect(error).toBeInstanceOf(Error)
  })
})

describe('The options', () => {
  it.each<[Partial<LandfallOptions>, string]>([
    [{ maxSize: -1 }, 'maxSize must be a whole number'],
    [{ sync: 'sometimes' as never }, 'sync must be one of'],
    [{ dataDir: undefined as never }, 'dataDir must be the path of a directory.'],
    [{ beforeFinish: true as never }, 'beforeFinish must be a function.'],
    [{ jwtSecret: 'x'.repeat(32), jwksUrl: 'https://keys.example' }, 'jwtSecret and jwksUrl exclude each other.'],
    [{ colour: 'red' } as never, 'Unknown option: colour.'],
    [{ basePath: 'uploads' }, 'basePath'],
    [{ basePath: '/uploads/' }, 'basePath'],
    [{ auth: 'jwt' }, 'auth=jwt needs jwtSecret'],
  ])('that are wrong are named: %j', async (options, sentence) => {
    await open()
    await expect(createLandfall({ dataDir: '/nowhere', ...options })).rejects.toThrow(sentence)
  })

  it('that fail late leave the directory to the next attempt', async () => {
    folder = await temporaryFolder()
    const { path: dataDir } = folder
    const conflict = { auth: 'jwt', jwtSecret: 'x'.repeat(32), authorize: () => 'anonymous' as const } as const
    await expect(createLandfall({ dataDir, ...conflict })).rejects.toThrow('exclude each other')
    await open()
    expect((await fetch(await finished())).status).toBe(200)
  })

  it('are those of the settings, with lists as arrays and permissions as numbers', async () => {
    await open({
      allowedOrigins: ['https://a.example', 'https://b.example'],
      fileMode: 0o600,
      trustProxy: true,
      maxSize: 5,
      hooksSecret: [1, 2].map((byte) => `whsec_${Buffer.alloc(24, byte).toString('base64')}`),
    })
    const response = await fetch(`${base}/files`, { method: 'OPTIONS', headers: { Origin: 'https://b.example' } })
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://b.example')
    expect(response.headers.get('Tus-Max-Size')).toBe('5')
    const { path = '' } = (await landfall.uploads.get(idOf(await finished()))) ?? {}
    expect((await (await import('node:fs/promises')).stat(path)).mode & 0o777).toBe(0o600)
  })

  it('leave the environment of the process alone', async () => {
    process.env['MAX_SIZE'] = '1'
    await open()
    delete process.env['MAX_SIZE']
    expect((await fetch(await finished())).status).toBe(200)
  })
})

async function idsOf(views: AsyncIterable<UploadView>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of views) ids.push(id)
  return ids.sort()
}
