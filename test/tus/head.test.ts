import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { countUploads, expectFile, expectSentence, expectToResume } from '../support/stored-uploads.ts'
import {
  beginPatch,
  create,
  createUpload,
  head,
  PATCH_HEADERS,
  patch,
  patchWith,
  reached,
  TUS,
} from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

const content = bytesOf(10_000)
let service: TestService
let url: string
beforeEach(async () => {
  service = await startService()
  url = await createUpload(service.url, content.length, { filename: 'a.bin' })
})
afterEach(() => service.close())

describe('HEAD', () => {
  it('returns offset, length, and metadata, and prevents caching', async () => {
    await patch(url, 0, content.subarray(0, 123))
    const response = await head(url)
    expect(response.status).toBe(200)
    expect(response.headers.get('Upload-Offset')).toBe('123')
    expect(response.headers.get('Upload-Length')).toBe('10000')
    expect(response.headers.get('Upload-Metadata')).toBe(`filename ${Buffer.from('a.bin').toString('base64')}`)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.get('Tus-Resumable')).toBe('1.0.0')
    expect(response.headers.get('Vary')).toContain('Tus-Resumable')
    await expectToResume(service, url, content, 123)
  })

  it('responds while a PATCH is running', async () => {
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 5000))
    await reached(url, 5000)
    await wire.send(content.subarray(5000, 7000))
    await reached(url, 7000)
    await wire.send(content.subarray(7000))
    expect((await wire.answer()).status).toBe(204)
    await wire.cut()
    await expectFile(service, url, content)
  })

  it('reports a finished file as complete', async () => {
    await patch(url, 0, content)
    const response = await head(url)
    expect(response.status).toBe(200)
    expect(response.headers.get('Upload-Offset')).toBe('10000')
    expect(response.headers.get('Upload-Length')).toBe('10000')
    await expectFile(service, url, content)
  })

  it('returns, without Tus-Resumable, the offset of an unfinished upload, of which GET finds no file', async () => {
    await patch(url, 0, content.subarray(0, 123))
    const response = await fetch(url, { method: 'HEAD' })
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe('123')
    expect(response.headers.get('Upload-Complete')).toBe('?0')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    const read = await fetch(url)
    expect(read.status).toBe(404)
    expect(read.headers.get('Cache-Control')).toBe('no-store')
    expectSentence(await read.text(), service)
    await expectToResume(service, url, content, 123)
  })

  it('returns, without Tus-Resumable, the headers of a download for a finished upload', async () => {
    await patch(url, 0, content)
    const response = await fetch(url, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Length')).toBe('10000')
    await expectFile(service, url, content)
  })
})

describe('A version', () => {
  it.each([{}, { 'Tus-Resumable': '0.2.2' }, { 'Tus-Resumable': '1.0' }, { 'Tus-Resumable': '1.0.0, 1.0.0' }])(
    'is required in POST, PATCH, and DELETE: 412 for %j',
    async (version) => {
      await patch(url, 0, content.subarray(0, 10))
      const requests: [string, string, Record<string, string>][] = [
        [`${service.url}/files`, 'POST', { 'Upload-Length': '5' }],
        [url, 'PATCH', { 'Upload-Offset': '10', 'Content-Type': 'application/offset+octet-stream' }],
        // Without any version, DELETE is the draft's.
        ...('Tus-Resumable' in version ? [[url, 'DELETE', {}] as [string, string, Record<string, string>]] : []),
      ]
      for (const [address, method, headers] of requests) {
        const response = await fetch(address, {
          method,
          headers: { ...headers, ...version },
          ...(method === 'PATCH' ? { body: content.subarray(10) } : {}),
        })
        expect(response.status).toBe(412)
        expect(response.headers.get('Tus-Version')).toBe('1.0.0')
        expectSentence(await response.text(), service)
      }
      expect(await countUploads(service)).toBe(1)
      await expectToResume(service, url, content, 10)
    },
  )

  it('that is not 1.0.0 receives 412 for HEAD, too', async () => {
    const response = await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '0.2.2' } })
    expect(response.status).toBe(412)
    expect(response.headers.get('Tus-Version')).toBe('1.0.0')
    await expectToResume(service, url, content, 0)
  })
})

describe('An invalid id', () => {
  const ids = [
    '..%2f..%2fetc%2fpasswd',
    '..%2Frecords',
    '%2e%2e%2fsecret',
    '%2e%2e',
    '..',
    '%2e',
    '..%5c..%5csecret',
    '%2fetc%2fpasswd',
    'a%00b',
    'a%0d%0ab',
    '%E6%B5%8B',
    '%',
    '%zz',
    '%ff',
    '__proto__',
    'constructor',
    '0123456789abcdef0123456789abcdef',
    'owner.sock',
    'records',
    '.hidden',
    'a.json',
  ]

  it.each([
    ...ids.map((id) => [id, id]),
    ['one of 201 characters', 'x'.repeat(201)],
    ['one of 5,000 characters', 'x'.repeat(5000)],
  ])('(%s) receives 404 for every method, and nothing on the disk is touched', async (_, id) => {
    await patch(url, 0, content.subarray(0, 10))
    const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': 0, 'Content-Length': 3 }
    for (const [method, headers, body] of [
      ['GET', {}, ''],
      ['HEAD', TUS, ''],
      ['HEAD', {}, ''],
      ['PATCH', { ...TUS, ...type }, 'abc'],
      ['DELETE', TUS, ''],
    ] as const) {
      const wire = await connect(service.url)
      await wire.send(requestHead(method, `/files/${id}`, { Connection: 'close', ...headers }), body)
      const answer = await wire.answer(method)
      expect([400, 404]).toContain(answer.status)
      expect(answer.body).not.toContain(service.dataDir)
      expect(answer.body).not.toMatch(/root:|node_modules|\bat .*:\d+/)
      await wire.cut()
    }
    expect(await countUploads(service)).toBe(1)
    await expectToResume(service, url, content, 10)
  })
})

describe('An unknown id', () => {
  it('receives 404 for HEAD and for a PATCH of many bytes', async () => {
    const response = await head(`${service.url}/files/0123456789abcdef0123456789abcdef`)
    expect(response.status).toBe(404)
    const write = await patchWith(
      `${service.url}/files/unknown`,
      { ...PATCH_HEADERS, 'Upload-Offset': '0' },
      bytesOf(5_000_000),
    )
    expect(write.status).toBe(404)
    expectSentence(await write.text(), service)
    const next = await create(service.url, { 'Upload-Length': '1' })
    expect(next.status).toBe(201)
    await expectToResume(service, url, content, 0)
  })
})
