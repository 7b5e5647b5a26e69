import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { FileStore } from '@tus/file-store'
import type { ServerOptions } from '@tus/server'
import { Upload } from '@tus/utils'
import { LandfallStore, type LandfallStoreOptions } from '../../server/tus-store/landfall-store.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { openFiles } from '../support/open-files.ts'
import { startServiceOn, type TestService } from '../support/service.ts'
import {
  beginPatch,
  create,
  createUpload,
  head,
  idOf,
  locationOf,
  offsetOf,
  PATCH_HEADERS,
  patch,
  patchWith,
  TUS,
} from '../support/tus.ts'
import { startTusServer, type TusServer } from '../support/tus-server.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const content = bytesOf(300_000)

let folder: TemporaryFolder
let store: LandfallStore
let server: TusServer | undefined
let warnings: string[]
beforeEach(async () => {
  folder = await temporaryFolder()
  warnings = []
})
afterEach(async () => {
  await stop()
  await folder.dispose()
})

/** @returns the URL of the server. */
async function start(
  options: Partial<LandfallStoreOptions> = {},
  serverOptions: Omit<Partial<ServerOptions>, 'path'> = {},
): Promise<string> {
  store = new LandfallStore({ directory: folder.path, warn: (sentence) => warnings.push(sentence), ...options })
  server = await startTusServer(store, serverOptions)
  return server.url
}

async function stop(): Promise<void> {
  await server?.close()
  server = undefined
  await store.close()
}

async function deleteUpload(url: string): Promise<number> {
  return (await fetch(url, { method: 'DELETE', headers: TUS })).status
}

/** The file of an upload that has no name. */
function fileOf(url: string): string {
  return path.join(folder.path, 'files', idOf(url), 'file')
}

/** Makes an unfinished upload look as if its last byte had arrived an hour ago. */
async function age(url: string): Promise<void> {
  const hourAgo = Date.now() / 1000 - 3600
  await utimes(path.join(folder.path, 'incoming', idOf(url)), hourAgo, hourAgo)
}

describe('@tus/server on LandfallStore', () => {
  it('stores a file under its name, and serves it', async () => {
    const base = await start()
    const url = await createUpload(base, content.length, { filename: '测试 文件.txt' })
    expect((await patch(url, 0, content.subarray(0, 100_000))).headers.get('Upload-Offset')).toBe('100000')
    expect((await patch(url, 100_000, content.subarray(100_000))).status).toBe(204)
    const stored = await readFile(path.join(folder.path, 'files', idOf(url), '测试 文件.txt'))
    expect(stored.equals(content)).toBe(true)
    const named = await createUpload(base, content.length, { filename: 'a.bin' })
    await patch(named, 0, content)
    const download = await fetch(named)
    expect(download.headers.get('Content-Disposition')).toBe('attachment; filename="a.bin"')
    expect(Buffer.from(await download.arrayBuffer()).equals(content)).toBe(true)
    expect(warnings).toEqual([])
  })

  it('returns the metadata that the client sent, also after a restart', async () => {
    const metadata = { filename: 'a b.txt', filetype: 'text/plain' }
    const before = await createUpload(await start(), 10, metadata)
    const sent = (await head(before)).headers.get('Upload-Metadata')
    expect(sent).toBe('filename YSBiLnR4dA==,filetype dGV4dC9wbGFpbg==')
    await stop()
    expect((await head(`${await start()}/files/${idOf(before)}`)).headers.get('Upload-Metadata')).toBe(sent)
  })

  it('serves a small file of a creation with its bytes', async () => {
    const base = await start()
    const headers = { 'Upload-Length': '5', 'Content-Type': PATCH_HEADERS['Content-Type'] }
    const url = locationOf(await create(base, headers, 'hello'), base)
    expect(await (await fetch(url)).text()).toBe('hello')
  })

  it('serves a file as often as it is asked, and closes it when a client leaves', async () => {
    const base = await start()
    const [small, large] = [await createUpload(base, 5), await createUpload(base, 20_000_000)]
    await patch(small, 0, Buffer.from('hello'))
    await patch(large, 0, Buffer.alloc(20_000_000))
    for (let i = 0; i < 50; i++) expect(await (await fetch(small)).text()).toBe('hello')
    const abort = new AbortController()
    const { body } = await fetch(large, { signal: abort.signal })
    await body?.getReader().read()
    expect(await openFiles(process.pid, path.join(folder.path, 'files'))).not.toEqual([])
    abort.abort()
    await until(async () => (await openFiles(process.pid, path.join(folder.path, 'files'))).length === 0)
  })

  it('survives clients that close the connection as soon as they have a file', async () => {
    const base = await start()
    const url = await createUpload(base, 5)
    await patch(url, 0, Buffer.from('hello'))
    const { pathname } = new URL(url)
    for (let i = 0; i < 100; i++) {
      const wire = await connect(base)
      await wire.send(requestHead('GET', pathname, {}))
      expect((await wire.answer()).body).toBe('hello')
      await wire.reset()
    }
    expect(await (await fetch(url)).text()).toBe('hello')
  })

  it('finishes an empty file with its creation', async () => {
    const url = await createUpload(await start(), 0)
    expect(await readFile(fileOf(url))).toHaveLength(0)
  })

  it('takes a length that is declared later', async () => {
    const base = await start({ maxSize: content.length })
    const url = locationOf(await create(base, { 'Upload-Defer-Length': '1' }), base)
    expect((await patch(url, 0, content.subarray(0, 5))).status).toBe(204)
    expect((await head(url)).headers.get('Upload-Defer-Length')).toBe('1')
    const rest = { ...PATCH_HEADERS, 'Upload-Offset': '5' }
    const tooLong = { ...rest, 'Upload-Length': String(content.length + 1) }
    expect((await patchWith(url, tooLong, content.subarray(5))).status).toBe(413)
    const exact = { ...rest, 'Upload-Length': String(content.length) }
    expect((await patchWith(url, exact, content.subarray(5))).status).toBe(204)
    expect((await readFile(fileOf(url))).equals(content)).toBe(true)
  })

  it('calls the application when the file is in its place', async () => {
    const found: string[] = []
    const onUploadFinish: ServerOptions['onUploadFinish'] = async (_, upload) => {
      found.push(await readFile(upload.storage?.path ?? '', 'utf8'))
      return {}
    }
    const base = await start({}, { onUploadFinish })
    const inTwo = await createUpload(base, 11)
    await patch(inTwo, 0, Buffer.from('hello '))
    await patch(inTwo, 6, Buffer.from('world'))
    await create(base, { 'Upload-Length': '5', 'Content-Type': PATCH_HEADERS['Content-Type'] }, 'hello')
    expect(found).toEqual(['hello world', 'hello'])
  })

  it('keeps uploads with ids that are paths apart, in plain directories', async () => {
    let next = ''
    const base = await start(
      {},
      {
        namingFunction: () => next,
        generateUrl: (_, { proto, host, path, id }) =>
          `${proto}://${host}${path}/${Buffer.from(id).toString('base64url')}`,
        getFileIdFromRequest: (_, last) => (last === undefined ? last : Buffer.from(last, 'base64url').toString()),
      },
    )
    const contents = { '2026/11/a': 'first', '2026/12/a': 'second', '../../outside': 'third' }
    const urls = new Map<string, string>()
    for (const [id, bytes] of Object.entries(contents)) {
      next = id
      const url = await createUpload(base, bytes.length)
      expect((await patch(url, 0, Buffer.from(bytes))).status).toBe(204)
      urls.set(bytes, url)
    }
    for (const [bytes, url] of urls) expect(await (await fetch(url)).text()).toBe(bytes)
    const folders = await readdir(path.join(folder.path, 'files'))
    expect(folders).toHaveLength(3)
    for (const name of folders) expect(name).toMatch(/^[0-9a-f]{64}$/)
  })

  it('refuses an id that is taken with 409, and overwrites nothing', async () => {
    const base = await start({}, { namingFunction: () => 'same' })
    const url = await createUpload(base, 5)
    const refused = await create(base, { 'Upload-Length': '9' })
    expect([refused.status, await refused.text()]).toEqual([409, 'There already is an upload with this id.\n'])
    await patch(url, 0, Buffer.from('hello'))
    expect((await create(base, { 'Upload-Length': '9' })).status).toBe(409)
    expect(await readFile(fileOf(url), 'utf8')).toBe('hello')
    expect(warnings).toEqual([])
  })

  it('refuses a wrong offset with 409, and an unknown upload with 404', async () => {
    const base = await start()
    const url = await createUpload(base, 5)
    expect((await patch(url, 2, Buffer.from('llo'))).status).toBe(409)
    expect((await patch(`${base}/files/unknown`, 0, Buffer.from('hello'))).status).toBe(404)
    expect((await head(`${base}/files/unknown`)).status).toBe(404)
  })

  it('refuses a file beyond its maximum size', async () => {
    const base = await start({ maxSize: 4 })
    expect((await create(base, { 'Upload-Length': '5' })).status).toBe(413)
    const url = locationOf(await create(base, { 'Upload-Defer-Length': '1' }), base)
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(413)
  })

  it('forgets an upload that is deleted, finished or not', async () => {
    const base = await start()
    const [finished, begun] = [await createUpload(base, 0), await createUpload(base, 5)]
    for (const url of [finished, begun]) {
      expect([await deleteUpload(url), await deleteUpload(url)]).toEqual([204, 410])
      // tus-java-client begins anew only after 404.
      expect((await head(url)).status).toBe(404)
    }
    expect(await readdir(path.join(folder.path, 'files'))).toEqual([])
    expect(await readdir(path.join(folder.path, 'incoming'))).toEqual([])
  })

  it('resumes where the last start ended', async () => {
    const before = await createUpload(await start(), content.length)
    await patch(before, 0, content.subarray(0, 123_456))
    await stop()
    const url = `${await start()}/files/${idOf(before)}`
    expect(await offsetOf(url)).toBe(123_456)
    await patch(url, 123_456, content.subarray(123_456))
    expect((await readFile(fileOf(url))).equals(content)).toBe(true)
  })

  it.each([
    ['with its locker', true],
    ['with the locker of @tus/server', false],
  ])('lets a newer request continue a silent one, %s', async (_, isOwnLocker) => {
    const locker = { newLock: () => store.locker.newLock('') }
    const base = await start({}, isOwnLocker ? { locker } : { lockDrainTimeout: 10 })
    const url = await createUpload(base, content.length)
    const silent = await connect(base)
    await beginPatch(silent, url, 0, content.length, content.subarray(0, 50_000))
    await until(async () => (await stat(path.join(folder.path, 'incoming', idOf(url)))).size === 50_000)
    const offset = await offsetOf(url)
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
    expect((await readFile(fileOf(url))).equals(content)).toBe(true)
    await silent.cut()
  })

  it('finishes a file that could not be moved, hides the reason from clients, and tells the operator', async () => {
    const base = await start()
    const url = await createUpload(base, 5)
    const inTheWay = path.join(folder.path, 'files', idOf(url))
    await writeFile(inTheWay, '')
    const refused = await patch(url, 0, Buffer.from('hello'))
    expect([refused.status, await refused.text()]).toEqual([503, 'Storage error; try again later.\n'])
    expect((await head(url)).status).toBe(423)
    expect(warnings.join()).toContain('ENOTDIR')
    await rm(inTheWay)
    expect(await offsetOf(url)).toBe(5)
    expect(await readFile(fileOf(url), 'utf8')).toBe('hello')
  })
})

describe('Expiry on LandfallStore', () => {
  it('keeps finished files, however old they are', async () => {
    const base = await start({ expiresAfter: 60 })
    const url = await createUpload(base, 5)
    await patch(url, 0, Buffer.from('hello'))
    const long = new Date('2001-01-01')
    for (const file of [fileOf(url), path.dirname(fileOf(url))]) await utimes(file, long, long)
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(0)
    await stop()
    const later = `${await start({ expiresAfter: 60 })}/files/${idOf(url)}`
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(0)
    expect((await head(later)).status).toBe(200)
    expect(await (await fetch(later)).text()).toBe('hello')
  })

  it('removes unfinished uploads, which are 410 before', async () => {
    const base = await start({ expiresAfter: 60 })
    const [old, young] = [await createUpload(base, 5), await createUpload(base, 5)]
    for (const url of [old, young]) await patch(url, 0, Buffer.from('hel'))
    await age(old)
    await stop()
    const again = await start({ expiresAfter: 60 })
    expect((await head(`${again}/files/${idOf(old)}`)).status).toBe(410)
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(1)
    expect((await head(`${again}/files/${idOf(old)}`)).status).toBe(404)
    expect(await offsetOf(`${again}/files/${idOf(young)}`)).toBe(3)
  })

  it('counts from the last byte, not from the creation', async () => {
    const base = await start({ expiresAfter: 60 })
    await store.create(new Upload({ id: 'old', size: 5, offset: 0, creation_date: '2001-01-01T00:00:00Z' }))
    const url = `${base}/files/old`
    const partial = await patch(url, 0, Buffer.from('hel'))
    const expires = Date.parse(partial.headers.get('Upload-Expires') ?? '')
    expect(expires).toBeGreaterThan(Date.now() + 30_000)
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(0)
    expect((await patch(url, 3, Buffer.from('lo'))).status).toBe(204)
  })

  it('never comes without an option', async () => {
    const before = await createUpload(await start(), 5)
    await age(before)
    await stop()
    const url = `${await start()}/files/${idOf(before)}`
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(0)
    const response = await head(url)
    expect([response.status, response.headers.get('Upload-Expires')]).toEqual([200, null])
  })
})

describe('A directory of @tus/file-store', () => {
  it('opens in LandfallStore, where finished files do not expire', async () => {
    const options = { directory: folder.path, expirationPeriodInMilliseconds: 60_000 }
    const before = await startTusServer(new FileStore(options))
    const [finished, begun] = [await createUpload(before.url, 5), await createUpload(before.url, 5)]
    await patch(finished, 0, Buffer.from('hello'))
    await patch(begun, 0, Buffer.from('hel'))
    await before.close()
    const hourAgo = Date.now() / 1000 - 3600
    for (const url of [finished, begun]) await utimes(path.join(folder.path, idOf(url)), hourAgo, hourAgo)
    const base = await start({ expiresAfter: 60 })
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(1)
    expect((await head(`${base}/files/${idOf(begun)}`)).status).toBe(404)
    expect(await (await fetch(`${base}/files/${idOf(finished)}`)).text()).toBe('hello')
    expect(await server?.tus.cleanUpExpiredUploads()).toBe(0)
    expect(await readFile(fileOf(finished), 'utf8')).toBe('hello')
  })
})

describe('The directory of a LandfallStore', () => {
  let service: TestService | undefined
  afterEach(async () => {
    await service?.close()
    service = undefined
  })

  it('opens in the service, and what the service receives opens in the store', async () => {
    const base = await start()
    const [finished, begun] = [await createUpload(base, 5), await createUpload(base, content.length)]
    await patch(finished, 0, Buffer.from('hello'))
    await patch(begun, 0, content.subarray(0, 100_000))
    await stop()
    service = await startServiceOn(folder.path)
    expect(await (await fetch(`${service.url}/files/${idOf(finished)}`)).text()).toBe('hello')
    const continued = `${service.url}/files/${idOf(begun)}`
    expect(await offsetOf(continued)).toBe(100_000)
    await patch(continued, 100_000, content.subarray(100_000, 200_000))
    const ofService = await createUpload(service.url, 5)
    await patch(ofService, 0, Buffer.from('hel'))
    await service.close()
    service = undefined
    const again = await start()
    for (const [url, offset, rest] of [
      [begun, 200_000, content.subarray(200_000)],
      [ofService, 3, Buffer.from('lo')],
    ] as const) {
      const here = `${again}/files/${idOf(url)}`
      expect(await offsetOf(here)).toBe(offset)
      expect((await patch(here, offset, rest)).status).toBe(204)
    }
    expect((await readFile(fileOf(begun))).equals(content)).toBe(true)
    expect(await readFile(fileOf(ofService), 'utf8')).toBe('hello')
  })

  it('is refused while another process has it: requests may be tried again, and the operator learns why', async () => {
    const base = await start()
    const other = await new LandfallStore({ directory: folder.path }).open()
    await expect(store.open()).rejects.toThrow(`Another process is using the data directory ${folder.path}.`)
    const refused = await create(base, { 'Upload-Length': '5' })
    expect([refused.status, await refused.text()]).toEqual([503, 'The storage is not available; try again later.\n'])
    // tus-js-client would begin anew after another error of a HEAD.
    expect((await head(`${base}/files/a`)).status).toBe(423)
    expect(warnings[0]).toContain(`Another process is using the data directory ${folder.path}.`)
    await other.close()
    expect((await create(base, { 'Upload-Length': '5' })).status).toBe(201)
  })

  it('is free when the store is closed, which refuses requests from then on', async () => {
    const url = await createUpload(await start(), 5)
    await store.close()
    const other = await new LandfallStore({ directory: folder.path }).open()
    expect((await other.getUpload(idOf(url))).size).toBe(5)
    await other.close()
    expect((await head(url)).status).toBe(423)
    expect((await patch(url, 0, Buffer.from('hello'))).status).toBe(423)
    expect(warnings).toEqual([])
  })

  it('is not touched before the first request', async () => {
    await start({ directory: path.join(folder.path, 'later') })
    expect(await readdir(folder.path)).toEqual([])
    await store.open()
    expect(await readdir(folder.path)).toEqual(['later'])
  })

  it('is not touched after the store is closed', async () => {
    const base = await start({ directory: path.join(folder.path, 'later') })
    await store.close()
    expect((await create(base, { 'Upload-Length': '5' })).status).toBe(503)
    expect(await readdir(folder.path)).toEqual([])
  })
})

describe('A LandfallStore', () => {
  beforeEach(async () => {
    await start()
  })

  it.each([
    [{ directory: '' }, /^LandfallStore: directory: /],
    [{ directory: '/data', sync: 'sometimes' }, /^LandfallStore: sync: /],
    [{ directory: '/data', maxSize: 0 }, /^LandfallStore: maxSize: /],
    [{ directory: '/data', expiresAfter: -1 }, /^LandfallStore: expiresAfter: /],
    [{ directory: '/data', warn: 'loudly' }, /^LandfallStore: warn: /],
    [{ directory: '/data', expirationPeriodInMilliseconds: 1 }, /expirationPeriodInMilliseconds/],
    [undefined, /^LandfallStore: options: /],
  ])('refuses the options %j with a sentence', (options, sentence) => {
    // As a program in JavaScript calls it.
    expect(() => Reflect.construct(LandfallStore, [options])).toThrow(sentence)
  })

  it('streams the received bytes of any upload', async () => {
    await store.create(new Upload({ id: 'a', size: 11, offset: 0 }))
    const { url } = server ?? { url: '' }
    await patch(`${url}/files/a`, 0, Buffer.from('hello '))
    expect(await text(await store.read('a'))).toBe('hello ')
  })

  it('streams each byte of a large file once', async () => {
    const large = bytesOf(5_000_001)
    await store.create(new Upload({ id: 'large', size: large.length, offset: 0 }))
    await patch(`${server?.url}/files/large`, 0, large)
    const pieces: Buffer[] = []
    for await (const piece of await store.read('large')) pieces.push(piece)
    expect(Buffer.concat(pieces).equals(large)).toBe(true)
  })
})
