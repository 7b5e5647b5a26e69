import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectNoBytes, expectSentence } from '../support/stored-uploads.ts'
import { create, head, idOf, locationOf, PATCH_HEADERS, patch, patchWith, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

let service: TestService
beforeEach(async () => {
  service = await startService()
})
afterEach(() => service.close())

const SIZES = [1_500_000, 10, 2_000_000]
const contents = SIZES.map((size, i) => bytesOf(size, i + 1))
const whole = Buffer.concat(contents)

async function beginPart(length: number | null): Promise<string> {
  const said = length === null ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }
  return locationOf(await create(service.url, { ...said, 'Upload-Concat': 'partial' }), service.url)
}

async function part(content: Buffer<ArrayBuffer>): Promise<string> {
  const url = await beginPart(content.length)
  if (content.length > 0) expect((await patch(url, 0, content)).status).toBe(204)
  return url
}

function partsOf(contents_: readonly Buffer<ArrayBuffer>[] = contents): Promise<string[]> {
  return Promise.all(contents_.map(part))
}

function join(urls: readonly string[], headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return create(service.url, { 'Upload-Concat': `final;${urls.join(' ')}`, ...headers })
}

async function names(folder: string): Promise<string[]> {
  return readdir(path.join(service.dataDir, folder))
}

const pathOf = (url: string): string => new URL(url).pathname

describe('A final upload of complete parts', () => {
  it.each<[string, (url: string) => string]>([
    ['absolute', (url) => url],
    ['relative', pathOf],
    ['behind a proxy', (url) => `https://up.example:8443/under${pathOf(url)}`],
    ['with a query', (url) => `${pathOf(url)}?token=1`],
  ])('has their bytes in order: URLs %s', async (_, form) => {
    const parts = await partsOf()
    const response = await join(parts.map(form), { 'Upload-Metadata': 'filename YS5iaW4=' })
    expect(response.status).toBe(201)
    const url = locationOf(response, service.url)
    await expectFile(service, url, whole)
    const reported = await head(url)
    expect(reported.headers.get('Upload-Concat')).toBe(`final;${parts.map(form).join(' ')}`)
    expect(reported.headers.get('Upload-Length')).toBe(String(whole.length))
    expect(reported.headers.get('Upload-Offset')).toBe(String(whole.length))
    expect(reported.headers.get('Upload-Metadata')).toBe('filename YS5iaW4=')
    expect(await names('incoming')).toEqual([])
    expect(await names('journals')).toEqual([])
    expect((await names('files')).length).toBe(1)
    for (const [i, url] of parts.entries()) {
      const part = await head(url)
      expect(part.headers.get('Upload-Concat')).toBe('partial')
      expect(part.headers.get('Upload-Offset')).toBe(String(SIZES[i]))
      expect((await fetch(url)).status).toBe(404)
    }
  })

  it('accepts no bytes itself', async () => {
    const url = locationOf(await join(await partsOf()), service.url)
    const response = await patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': '0' }, 'x')
    expect(response.status).toBe(403)
    expectSentence(await response.text(), service)
  })

  it('is the same one when the same parts are sent again, also after a restart', async () => {
    const parts = (await partsOf()).map(pathOf)
    const locations = (await Promise.all([join(parts), join(parts), join(parts)])).map((r) => r.headers.get('Location'))
    service = await service.restart()
    const again = await join(parts)
    expect(again.status).toBe(201)
    const paths = [...locations, again.headers.get('Location')].map((location) => pathOf(location ?? ''))
    expect(new Set(paths).size).toBe(1)
    await expectFile(service, locationOf(again, service.url), whole)
  })

  it('does not share a part with another one', async () => {
    const [a, b, c] = await partsOf()
    expect((await join([a ?? '', b ?? ''])).status).toBe(201)
    const response = await join([b ?? '', c ?? ''])
    expect(response.status).toBe(409)
    expectSentence(await response.text(), service)
    expect((await join([c ?? ''])).status).toBe(201)
  })

  it('verifies a digest of the whole file', async () => {
    const encode = (text: string): string => Buffer.from(text).toString('base64')
    const right = createHash('sha256').update(whole).digest('hex')
    const good = await join(await partsOf(), { 'Upload-Metadata': `sha256 ${encode(right)}` })
    await expectFile(service, locationOf(good, service.url), whole)
    const bad = await join(await partsOf(), { 'Upload-Metadata': `sha256 ${encode('0'.repeat(64))}` })
    expect(bad.status).toBe(422)
  })

  it.each<[string, number[]]>([
    ['one part', [100]],
    ['empty parts', [0, 5, 0, 7, 0]],
    ['nothing but empty parts', [0, 0]],
    ['fifty parts', Array.from({ length: 50 }, (_, i) => i * 100)],
  ])('may have %s', async (_, sizes) => {
    const pieces = sizes.map((size, i) => bytesOf(size, i + 1))
    const response = await join((await partsOf(pieces)).map(pathOf))
    expect(response.status).toBe(201)
    await expectFile(service, locationOf(response, service.url), Buffer.concat(pieces))
  })

  it('has none of the bytes that a checksum refused after the end of a part', async () => {
    const parts = await Promise.all(
      contents.map(async (content) => {
        const url = await beginPart(null)
        const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0' }
        const checksum = { 'Upload-Checksum': `sha1 ${Buffer.alloc(20).toString('base64')}` }
        expect((await patchWith(url, { ...headers, ...checksum }, bytesOf(3_000_000, 9))).status).toBe(460)
        expect((await patchWith(url, { ...headers, 'Upload-Length': String(content.length) }, content)).status).toBe(
          204,
        )
        return url
      }),
    )
    await expectFile(service, locationOf(await join(parts), service.url), whole)
  })

  it('is deleted with all its parts', async () => {
    const parts = await partsOf()
    const url = locationOf(await join(parts), service.url)
    expect((await fetch(parts[0] ?? '', { method: 'DELETE', headers: TUS })).status).toBe(204)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    for (const gone of [url, ...parts]) {
      expect((await head(gone)).status).toBe(404)
      await expectNoBytes(service, gone)
    }
    expect((await join(parts)).status).toBe(410)
  })
})

describe('An invalid final upload', () => {
  it.each<[string, string]>([
    ['no parts', 'final;'],
    ['unknown parts', `final;/files/${'0'.repeat(32)}`],
    ['a path that is none of an upload', 'final;/files/../secret'],
    ['a hidden path', 'final;/files/..%2f..%2fsecret'],
    ['another folder', 'final;/records/abc'],
    ['a host without a path', 'final;//evil.example'],
  ])('of %s is refused', async (_, concat) => {
    const response = await create(service.url, { 'Upload-Concat': concat })
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
    expectSentence(await response.text(), service)
    expect(await names('incoming')).toEqual([])
  })

  it('is refused if it has an ordinary upload, a part twice, a length, or a body', async () => {
    const plain = locationOf(await create(service.url, { 'Upload-Length': '5' }), service.url)
    const one = await part(bytesOf(5))
    expect((await join([plain])).status).toBe(400)
    expect((await join([one, one])).status).toBe(400)
    expect((await join([one], { 'Upload-Length': '5' })).status).toBe(400)
    expect((await join([one], { 'Upload-Defer-Length': '1' })).status).toBe(400)
    expect((await join([one])).status).toBe(201)
  })

  it('is refused if it is too large', async () => {
    await service.close()
    service = await startService({ MAX_SIZE: '100' })
    expect((await join(await partsOf([bytesOf(60), bytesOf(60, 2)]))).status).toBe(413)
    const late = await beginPart(null)
    const url = locationOf(await join([await part(bytesOf(60)), late]), service.url)
    await patchWith(late, { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Length': '60' }, bytesOf(60))
    await until(async () => (await head(url)).status === 413)
  })
})

describe('A final upload whose length exceeds the safe integers', () => {
  it('is refused, and the service starts again', async () => {
    const most = Number.MAX_SAFE_INTEGER
    const parts = (await Promise.all([beginPart(most), beginPart(most)])).map(pathOf)
    const response = await join(parts)
    expect(response.status).toBe(413)
    expectSentence(await response.text(), service)
    service = await service.restart()
    for (const part of parts) expect((await head(`${service.url}${part}`)).status).toBe(200)
  })
})

describe('A final upload before its parts are complete', () => {
  it('has no offset, and is finished without a request when the last of them is complete', async () => {
    const urls = await Promise.all(SIZES.map((size) => beginPart(size)))
    const response = await join(urls)
    expect(response.status).toBe(201)
    const url = locationOf(response, service.url)
    const reported = await head(url)
    expect(reported.status).toBe(200)
    expect(reported.headers.has('Upload-Offset')).toBe(false)
    expect(reported.headers.get('Upload-Length')).toBe(String(whole.length))
    await Promise.all(urls.map((url, i) => patch(url, 0, contents[i] ?? Buffer.alloc(0))))
    await until(async () => (await head(url)).headers.get('Upload-Offset') === String(whole.length))
    await expectFile(service, url, whole)
    await until(async () => (await names('incoming')).length === 0)
  })

  it('has no length while that of a part is unknown; a checksum or a length may complete the last part', async () => {
    const late = await beginPart(null)
    const checked = await beginPart(SIZES[1] ?? 0)
    const urls = [await part(contents[0] ?? Buffer.alloc(0)), checked, late]
    const url = locationOf(await join(urls), service.url)
    const reported = await head(url)
    expect(reported.headers.has('Upload-Length')).toBe(false)
    expect(reported.headers.has('Upload-Offset')).toBe(false)
    await patch(late, 0, contents[2] ?? Buffer.alloc(0))
    const small = contents[1] ?? Buffer.alloc(0)
    const checksum = `sha1 ${createHash('sha1').update(small).digest('base64')}`
    await patchWith(checked, { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Checksum': checksum }, small)
    service = await service.restart()
    const again = `${service.url}/files/${idOf(url)}`
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': String(SIZES[2]), 'Upload-Length': String(SIZES[2]) }
    expect((await patchWith(`${service.url}/files/${idOf(late)}`, headers)).status).toBe(204)
    await until(async () => (await head(again)).headers.get('Upload-Offset') === String(whole.length))
    await expectFile(service, again, whole)
  })

  it('can be created again when a power cut has left only its record', async () => {
    const first = await part(contents[0] ?? whole)
    const second = await beginPart(SIZES[1] ?? 0)
    const url = locationOf(await join([first, second]), service.url)
    await rm(path.join(service.dataDir, 'incoming', idOf(url)))
    service = await service.restart()
    const now = (there: string): string => new URL(pathOf(there), service.url).href
    expect((await head(now(url))).status).toBe(404)
    expect((await patch(now(second), 0, contents[1] ?? whole)).status).toBe(204)
    const again = await join([first, second].map(now))
    expect([again.status, pathOf(locationOf(again, service.url))]).toEqual([201, pathOf(url)])
    await expectFile(service, now(url), whole.subarray(0, (SIZES[0] ?? 0) + (SIZES[1] ?? 0)))
  })

  it('fails with a sentence when one of them is deleted', async () => {
    const [first = '', second = ''] = await Promise.all(SIZES.map((size) => beginPart(size)))
    const url = locationOf(await join([first, second]), service.url)
    expect((await fetch(second, { method: 'DELETE', headers: TUS })).status).toBe(204)
    await until(async () => (await head(url)).status === 422)
    expect((await head(url)).headers.get('Upload-Error')).toBe('part_gone')
  })

  it('is refused, fails, or is finished when a part is deleted at any moment; it never seems deleted itself', async () => {
    const eight = (): Promise<string[]> => partsOf(Array.from({ length: 8 }, (_, i) => bytesOf(10, i)))
    const undisturbed = await eight()
    const began = performance.now()
    await join(undisturbed)
    const wholeTime = performance.now() - began
    for (let moment = 0; moment < 20; moment++) {
      const parts = await eight()
      const joining = join(parts)
      await new Promise((resolve) => setTimeout(resolve, (wholeTime * moment) / 20))
      const deleting = fetch(parts.at(-1) ?? '', { method: 'DELETE', headers: TUS })
      const [joined, deleted] = await Promise.all([joining, deleting])
      const location = joined.headers.get('Location')
      const later = location === null ? undefined : await head(new URL(location, service.url).href)
      const error = (response: Response | undefined): string => response?.headers.get('Upload-Error') ?? ''
      const reported = [joined.status, error(joined), deleted.status, later?.status ?? 0, error(later)].join(' ')
      expect(['201  204 200 ', '422 part_gone 204 0 ', '201  204 422 part_gone']).toContain(reported)
    }
  })

  it('stays with its parts while one of them receives bytes, and expires otherwise', async () => {
    await service.close()
    service = await startService({ EXPIRES_AFTER: '1' })
    const idle = await part(bytesOf(10))
    const slow = await beginPart(100)
    const url = locationOf(await join([idle, slow]), service.url)
    const other = await part(bytesOf(10, 3))
    const content = bytesOf(100, 2)
    let offset = 0
    await until(async () => {
      if (offset < 90) await patch(slow, offset, content.subarray(offset, offset + 1))
      offset = Number((await head(slow)).headers.get('Upload-Offset'))
      await new Promise((resolve) => setTimeout(resolve, 40))
      return (await head(other)).status === 404
    })
    expect((await head(idle)).status).toBe(200)
    expect((await head(url)).status).toBe(200)
    for (const all of [url, idle, slow]) await until(async () => (await head(all)).status === 404)
  })

  it('expires together with the part whose bytes it has', async () => {
    await service.close()
    service = await startService({ EXPIRES_AFTER: '1' })
    const first = await part(bytesOf(10))
    const lost = await part(bytesOf(10, 2))
    await rm(path.join(service.dataDir, 'incoming', idOf(lost)))
    expect((await join([first, lost])).status).toBe(503)
    expect((await fetch(lost, { method: 'DELETE', headers: TUS })).status).toBe(204)
    await until(async () => (await head(first)).status === 404)
    expect(await names('incoming')).toEqual([])
    await until(async () => (await readdir(path.join(service.dataDir, 'records'))).length === 0)
  })
})
