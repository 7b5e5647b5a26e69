import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { landAll } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { createUpload, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { cut, rawChunk } from '../support/webuploader.ts'
import { connect, requestHead, urlIn, type Wire } from '../support/wire.ts'

const content = bytesOf(200_000)
const EXPECT = { Expect: '100-continue' } as const
const MISSING = `/files/${'0'.repeat(32)}`
const MAX_SIZE = 1_000_000

let service: TestService
let wire: Wire
beforeAll(async () => {
  service = await startService({ MAX_SIZE: String(MAX_SIZE) })
})
afterAll(() => service.close())
beforeEach(async () => {
  wire = await connect(service.url)
})
afterEach(() => wire.cut())

type Headers = Readonly<Record<string, string | number>>
/** A request that waits for 100 before it sends its body. */
type Refused = readonly [method: string, path: string, headers: Headers, status: number]

const append = (offset: number, length = content.length): Headers => ({
  ...PATCH_HEADERS,
  'Upload-Offset': offset,
  'Content-Length': length,
})

async function refusals(): Promise<Readonly<Record<string, Refused>>> {
  const { pathname } = new URL(await createUpload(service.url, content.length))
  const other = { ...append(0), 'Content-Type': 'text/plain' }
  const creation = { ...PATCH_HEADERS, 'Content-Length': 10 }
  return {
    'an upload that does not exist': ['PATCH', MISSING, append(0), 404],
    'a wrong offset': ['PATCH', pathname, append(1), 409],
    'a body that goes beyond the end': ['PATCH', pathname, append(0, content.length + 1), 413],
    'another version of tus': ['PATCH', pathname, { ...append(0), 'Tus-Resumable': '0.2.2' }, 412],
    'another type of content': ['PATCH', pathname, other, 415],
    'a creation that is too large': ['POST', '/files', { ...creation, 'Upload-Length': MAX_SIZE + 1 }, 413],
    'a method that is not supported': ['PUT', pathname, append(0), 405],
    'a path that leads nowhere': ['POST', '/nowhere', creation, 404],
    'a chunk in no form that is known': [
      'POST',
      '/upload/accept',
      { 'Content-Type': 'multipart/mixed; boundary=x', 'Content-Length': 10 },
      415,
    ],
  }
}

describe('A client that expects 100-continue', () => {
  it('is refused by its headers, without 100, and the connection ends', async () => {
    const all = Object.entries(await refusals()).map(async ([name, [method, path, headers, status]]) => {
      const waiting = await connect(service.url)
      await waiting.send(requestHead(method, path, { ...headers, ...EXPECT }))
      const { status: first, headers: reported } = await waiting.next()
      expect([name, first, reported.get('Connection')]).toEqual([name, status, 'close'])
      await waiting.closed
    })
    await Promise.all(all)
  })

  it('receives one 100 for a PATCH, and its body counts', async () => {
    const url = await createUpload(service.url, content.length)
    await wire.send(requestHead('PATCH', new URL(url).pathname, { ...append(0), ...EXPECT }))
    expect((await wire.next()).status).toBe(100)
    await wire.send(content.subarray(0, 100_000))
    await wire.send(content.subarray(100_000))
    expect((await wire.next()).status).toBe(204)
    await expectFile(service, url, content)
  })

  it.each([10, 100_000])('receives 100 for the %d bytes of a creation', async (length) => {
    const headers = { ...PATCH_HEADERS, 'Upload-Length': length, 'Content-Length': length, ...EXPECT }
    await wire.send(requestHead('POST', '/files', headers))
    expect((await wire.next()).status).toBe(100)
    await wire.send(content.subarray(0, length))
    const answer = await wire.next()
    expect(answer.status).toBe(201)
    await expectFile(service, urlIn(answer, service.url), content.subarray(0, length))
  })

  it('receives 100 for a chunk, and the connection stays open', async () => {
    const file = cut(content, 80_000, { task_id: 'wu_that_waits_for_100' })
    for (let chunk = 0; chunk < file.count; chunk++) {
      const { head, body } = rawChunk(file, chunk)
      await wire.send(head.replace('\r\n\r\n', '\r\nExpect: 100-Continue\r\n\r\n'))
      expect((await wire.next()).status).toBe(100)
      await wire.send(body)
      expect((await wire.next()).status).toBe(200)
    }
    expect((await landAll(service.url, file)).finished).toBe(true)
  })

  it.each(['/check', '/upload/complete'])('receives 100 for the form of %s', async (path) => {
    const form = 'task_id=unknown'
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': form.length, ...EXPECT }
    await wire.send(requestHead('POST', path, headers))
    expect((await wire.next()).status).toBe(100)
    await wire.send(form)
    expect((await wire.next()).status).toBe(path === '/check' ? 200 : 404)
  })

  it('receives 417 when it expects anything else', async () => {
    await wire.send(requestHead('PATCH', MISSING, { ...append(0), Expect: 'wonders' }))
    expect((await wire.next()).status).toBe(417)
  })
})

describe('A client that does not wait for the 100 that it expects', () => {
  it('sends its body, which is stored', async () => {
    const url = await createUpload(service.url, content.length)
    await wire.send(requestHead('PATCH', new URL(url).pathname, { ...append(0), ...EXPECT }), content)
    expect((await wire.answer()).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('receives a whole refusal, and then the end of the connection', async () => {
    for (const [method, path, headers, status] of Object.values(await refusals())) {
      const hasty = await connect(service.url)
      await hasty.send(requestHead(method, path, { ...headers, ...EXPECT }), bytesOf(Number(headers['Content-Length'])))
      const answer = await hasty.answer()
      expect([answer.status, answer.body.length > 0]).toEqual([status, true])
      await hasty.closed
    }
  })
})

describe('curl, which waits a second for 100,', () => {
  async function curl(...args: readonly string[]): Promise<string> {
    const common = ['--silent', '--http1.1', '--header', 'Expect: 100-continue', '--expect100-timeout', '20']
    const { stdout } = await promisify(execFile)('curl', [...common, ...args], { maxBuffer: 10_000_000 })
    return stdout
  }
  const asTus = Object.entries({
    ...TUS,
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Offset': 0,
  }).flatMap(([name, value]) => ['--header', `${name}: ${value}`])
  const written = ['--output', '/dev/null', '--write-out', '%{http_code} %{size_upload}']

  it('sends a body that is accepted, and none that is refused', async () => {
    const url = await createUpload(service.url, 5)
    const patch = ['--request', 'PATCH', ...asTus, '--data-binary', '12345', ...written]
    expect(await curl(...patch, `${service.url}${MISSING}`)).toBe('404 0')
    expect(await curl(...patch, url)).toBe('204 5')
    expect(await curl(...patch, url)).toBe('409 0')
  })
})
