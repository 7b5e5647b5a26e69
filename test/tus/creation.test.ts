import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { countUploads, expectFile, expectSentence, expectToResume } from '../support/stored-uploads.ts'
import { create, head, idOf, locationOf, PATCH_HEADERS, patch, reached, TUS } from '../support/tus.ts'
import { connect, requestHead, urlIn } from '../support/wire.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('POST /files', () => {
  let service: TestService
  beforeEach(async () => {
    service = await startService()
  })
  afterEach(() => service.close())

  it('creates an upload of a known length, with the Host of the request in its URL', async () => {
    const wire = await connect(service.url)
    await wire.send(requestHead('POST', '/files', { Host: 'uploads.lan:8080', ...TUS, 'Upload-Length': 9 }))
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(201)
    expect(answer.headers.get('Location')).toMatch(/^http:\/\/uploads\.lan:8080\/files\/[0-9a-f]{32}$/)
    expect(answer.headers.get('Tus-Resumable')).toBe('1.0.0')
    expect(answer.headers.get('Upload-Offset')).toBe('0')
    const url = urlIn(answer, service.url)
    await expectToResume(service, url, bytesOf(9), 0)
  })

  it('gives every upload a unique id', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(service.url, { 'Upload-Length': '1' })))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201))
    expect(new Set(answers.map((answer) => answer.headers.get('Location'))).size).toBe(20)
    expect(await countUploads(service)).toBe(20)
  })

  it('keeps metadata as sent, also a key without a value, and names the file by it', async () => {
    const said = `filename ${base64('测试 文件.txt')},filetype ${base64('text/plain')},is_confidential`
    const response = await create(service.url, { 'Upload-Length': '5', 'Upload-Metadata': said })
    expect(response.status).toBe(201)
    const url = locationOf(response, service.url)
    const reported = (await head(url)).headers.get('Upload-Metadata') ?? ''
    expect(reported.split(',').sort()).toEqual(said.split(',').sort())
    await expectToResume(service, url, bytesOf(5), 0)
    expect(await readdir(path.join(service.dataDir, 'files', idOf(url)))).toEqual(['测试 文件.txt'])
    const disposition = (await fetch(url)).headers.get('Content-Disposition') ?? ''
    expect(disposition).toContain(`filename*=UTF-8''${encodeURIComponent('测试 文件.txt')}`)
    expect((await head(url)).headers.get('Upload-Metadata')?.split(',').sort()).toEqual(said.split(',').sort())
  })

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\boot.ini', 'boot.ini'],
    ['a\u0000b\r\nc.txt', 'abc.txt'],
    ['..', 'file'],
    ['', 'file'],
    ['.hidden', '.hidden'],
  ])('stores a file with the name %j as %j in its own folder', async (name, expected) => {
    const response = await create(service.url, { 'Upload-Length': '3', 'Upload-Metadata': `filename ${base64(name)}` })
    expect(response.status).toBe(201)
    const url = locationOf(response, service.url)
    await expectToResume(service, url, bytesOf(3), 0)
    expect(await readdir(path.join(service.dataDir, 'files', idOf(url)))).toEqual([expected])
  })

  it('finishes an upload of length 0 at once', async () => {
    const metadata = `filename ${base64('empty.txt')}`
    const response = await create(service.url, { 'Upload-Length': '0', 'Upload-Metadata': metadata })
    expect(response.status).toBe(201)
    const url = locationOf(response, service.url)
    const reported = await head(url)
    expect(reported.status).toBe(200)
    expect(reported.headers.get('Upload-Offset')).toBe('0')
    expect(reported.headers.get('Upload-Length')).toBe('0')
    await expectFile(service, url, Buffer.alloc(0))
    expect(await readdir(path.join(service.dataDir, 'files', idOf(url)))).toEqual(['empty.txt'])
    expect((await patch(url, 0, bytesOf(0))).status).toBe(204)
    expect((await patch(url, 0, bytesOf(1))).status).toBe(413)
    await expectFile(service, url, Buffer.alloc(0))
  })

  it.each([
    ['neither length nor a promise of one', {}],
    ['both', { 'Upload-Length': '5', 'Upload-Defer-Length': '1' }],
    ['Upload-Defer-Length: 0', { 'Upload-Defer-Length': '0' }],
    ['Upload-Defer-Length: 2', { 'Upload-Defer-Length': '2' }],
    ['Upload-Defer-Length: true', { 'Upload-Defer-Length': 'true' }],
    ['Upload-Defer-Length without a value', { 'Upload-Defer-Length': '' }],
    ['a valid length and Upload-Defer-Length: 0', { 'Upload-Length': '5', 'Upload-Defer-Length': '0' }],
  ])('refuses %s', async (_, headers) => {
    const response = await create(service.url, { ...headers })
    expect(response.status).toBe(400)
    expect(response.headers.get('Tus-Resumable')).toBe('1.0.0')
    expect(response.headers.has('Location')).toBe(false)
    expectSentence(await response.text(), service)
    expect(await countUploads(service)).toBe(0)
  })

  it.each(['-1', '1.5', '1e3', ' ', '99999999999999999999', '0x10', '5, 5', 'NaN', '+5', '９', '9007199254740992'])(
    'refuses Upload-Length: %j',
    async (length) => {
      const wire = await connect(service.url)
      await wire.send(requestHead('POST', '/files', { ...TUS, 'Upload-Length': length }))
      const answer = await wire.answer()
      await wire.cut()
      expect(answer.status).toBe(400)
      expect(answer.body).toContain('Upload-Length')
      expectSentence(answer.body, service)
      expect(await countUploads(service)).toBe(0)
    },
  )

  it('refuses two Upload-Length headers', async () => {
    const wire = await connect(service.url)
    await wire.send(
      'POST /files HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\nUpload-Length: 6\r\n\r\n',
    )
    expect((await wire.answer()).status).toBe(400)
    await wire.cut()
    expect(await countUploads(service)).toBe(0)
  })

  it('refuses an Upload-Concat that is neither partial nor final', async () => {
    const response = await create(service.url, { 'Upload-Length': '5', 'Upload-Concat': 'whole' })
    expect(response.status).toBe(400)
    expectSentence(await response.text(), service)
    expect(await countUploads(service)).toBe(0)
  })

  it('ignores a body of another type', async () => {
    const response = await create(service.url, { 'Upload-Length': '5', 'Content-Type': 'text/plain' }, 'hello')
    expect(response.status).toBe(201)
    expect(response.headers.get('Upload-Offset')).toBe('0')
    await expectToResume(service, locationOf(response, service.url), bytesOf(5), 0)
  })
})

describe('POST /files with the first bytes', () => {
  let service: TestService
  beforeEach(async () => {
    service = await startService()
  })
  afterEach(() => service.close())
  const type = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

  it.each([1, 65_536, 65_537, 70_000, 3_000_000])('finishes a whole file of %d bytes in one request', async (size) => {
    const content = bytesOf(size)
    const response = await create(service.url, { 'Upload-Length': String(size), ...type }, content)
    expect(response.status).toBe(201)
    expect(response.headers.get('Upload-Offset')).toBe(String(size))
    await expectFile(service, locationOf(response, service.url), content)
  })

  it('creates nothing for a small file whose connection breaks before its client knows the URL', async () => {
    const wire = await connect(service.url)
    const headers = { ...PATCH_HEADERS, 'Upload-Length': 5_000, 'Content-Length': 5_000 }
    await wire.send(requestHead('POST', '/files', headers), bytesOf(4_999))
    await wire.cut()
    await (await connect(service.url)).cut()
    expect(await countUploads(service)).toBe(0)
    expect(await readdir(path.join(service.dataDir, 'incoming'))).toEqual([])
  })

  it('verifies the digest of a small file', async () => {
    const content = bytesOf(100)
    const said = (text: string) => ({ 'Upload-Length': '100', 'Upload-Metadata': `md5 ${base64(text)}`, ...type })
    const wrong = await create(service.url, said(createHash('md5').update('else').digest('hex')), content)
    expect(wrong.status).toBe(422)
    const right = await create(service.url, said(createHash('md5').update(content).digest('hex')), content)
    expect(right.status).toBe(201)
    await expectFile(service, locationOf(right, service.url), content)
  })

  it('keeps the first bytes, and resumes after them', async () => {
    const content = bytesOf(3_000_000)
    const response = await create(service.url, { 'Upload-Length': '3000000', ...type }, content.subarray(0, 1_234_567))
    expect(response.status).toBe(201)
    expect(response.headers.get('Upload-Offset')).toBe('1234567')
    await expectToResume(service, locationOf(response, service.url), content, 1_234_567)
  })

  it('treats an empty body like no body', async () => {
    const response = await create(service.url, { 'Upload-Length': '7', ...type }, '')
    expect(response.status).toBe(201)
    expect(response.headers.get('Upload-Offset')).toBe('0')
    await expectToResume(service, locationOf(response, service.url), bytesOf(7), 0)
  })

  it('does not wait for the body of an empty file', async () => {
    const wire = await connect(service.url)
    await wire.send(requestHead('POST', '/files', { ...TUS, 'Upload-Length': 0, 'Content-Length': 1000 }))
    expect((await wire.answer()).status).toBe(201)
    await wire.cut()
  })

  it('ignores a body in the creation of an empty file', async () => {
    for (const more of [{}, type]) {
      const response = await create(service.url, { 'Upload-Length': '0', ...more }, bytesOf(3_000_000))
      expect(response.status).toBe('Content-Type' in more ? 413 : 201)
      if (response.status === 201) await expectFile(service, locationOf(response, service.url), Buffer.alloc(0))
    }
  })

  it('finishes an empty file', async () => {
    const response = await create(service.url, { 'Upload-Length': '0', ...type }, '')
    expect(response.status).toBe(201)
    await expectFile(service, locationOf(response, service.url), Buffer.alloc(0))
  })

  it('accepts the first bytes of a file of deferred length', async () => {
    const content = bytesOf(10)
    const response = await create(service.url, { 'Upload-Defer-Length': '1', ...type }, content.subarray(0, 6))
    expect(response.status).toBe(201)
    expect(response.headers.get('Upload-Offset')).toBe('6')
    const url = locationOf(response, service.url)
    const rest = await fetch(url, {
      method: 'PATCH',
      headers: { ...PATCH_HEADERS, 'Upload-Offset': '6', 'Upload-Length': '10' },
      body: content.subarray(6),
    })
    expect(rest.status).toBe(204)
    await expectFile(service, url, content)
  })

  it('refuses more bytes than the length, and stores none of them', async () => {
    const response = await create(service.url, { 'Upload-Length': '5', ...type }, bytesOf(6))
    expect(response.status).toBe(413)
    expectSentence(await response.text(), service)
    for (const id of await readdir(path.join(service.dataDir, 'incoming'))) {
      await expectToResume(service, `${service.url}/files/${id}`, bytesOf(5), 0)
    }
    const next = await create(service.url, { 'Upload-Length': '5', ...type }, bytesOf(5))
    expect(next.status).toBe(201)
    await expectFile(service, locationOf(next, service.url), bytesOf(5))
  })

  it('keeps the bytes of a body whose connection breaks', async () => {
    const content = bytesOf(100_000)
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', '/files', { ...PATCH_HEADERS, 'Upload-Length': 100_000, 'Content-Length': 100_000 }),
      content.subarray(0, 40_000),
    )
    let id: string | undefined
    while (id === undefined) [id] = await readdir(path.join(service.dataDir, 'incoming'))
    const url = `${service.url}/files/${id}`
    await reached(url, 40_000)
    await wire.cut()
    await expectToResume(service, url, content, 40_000)
  })

  it('sends 100 before it reads the body, if the client expects it (Expect: 100-continue)', async () => {
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', '/files', {
        ...PATCH_HEADERS,
        'Upload-Length': 5,
        'Content-Length': 5,
        Expect: '100-continue',
      }),
    )
    await wire.send(bytesOf(5))
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(201)
    await expectFile(service, urlIn(answer, service.url), bytesOf(5))
  })
})

describe('POST /files behind a proxy', () => {
  it('names the upload under PUBLIC_URL', async () => {
    const service = await startService({ PUBLIC_URL: 'https://up.example/base/' })
    try {
      const response = await create(service.url, { 'Upload-Length': '3' })
      expect(response.status).toBe(201)
      expect(response.headers.get('Location')).toMatch(/^https:\/\/up\.example\/base\/files\/[0-9a-f]{32}$/)
      await expectToResume(service, `${service.url}/files/${idOf(locationOf(response, service.url))}`, bytesOf(3), 0)
    } finally {
      await service.close()
    }
  })
})

describe('MAX_SIZE', () => {
  let service: TestService
  beforeEach(async () => {
    service = await startService({ MAX_SIZE: '1000' })
  })
  afterEach(() => service.close())

  it('refuses a longer file when it is announced, and accepts one that fits exactly', async () => {
    const refused = await create(service.url, { 'Upload-Length': '1001' })
    expect(refused.status).toBe(413)
    expectSentence(await refused.text(), service)
    expect(await countUploads(service)).toBe(0)
    const response = await create(service.url, { 'Upload-Length': '1000' })
    expect(response.status).toBe(201)
    await expectToResume(service, locationOf(response, service.url), bytesOf(1000), 0)
  })

  it('stops a file of unknown length, and keeps the bytes before', async () => {
    const content = bytesOf(1000)
    const url = locationOf(await create(service.url, { 'Upload-Defer-Length': '1' }), service.url)
    expect((await patch(url, 0, content.subarray(0, 600))).status).toBe(204)
    const refused = await patch(url, 600, bytesOf(401))
    expect(refused.status).toBe(413)
    expect(refused.headers.get('Upload-Offset')).toBe('600')
    expect((await patch(url, 600, content.subarray(600))).status).toBe(204)
    const end = await fetch(url, {
      method: 'PATCH',
      headers: { ...PATCH_HEADERS, 'Upload-Offset': '1000', 'Upload-Length': '1000' },
    })
    expect(end.status).toBe(204)
    await expectFile(service, url, content)
  })
})
