import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { expectFile, land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectToResume } from '../support/stored-uploads.ts'
import { createUpload, patch, TUS } from '../support/tus.ts'
import { cut, fileFields, MULTIPART, multipartBody } from '../support/webuploader.ts'

let service: TestService
afterEach(() => service.close())

const PAGE = 'https://pages.example'
const ROUTES = [
  ['/files', 'POST'],
  ['/files/0123', 'PATCH'],
  ['/files/0123', 'HEAD'],
  ['/files/0123', 'DELETE'],
  ['/files/0123', 'GET'],
  ['/upload/accept', 'POST'],
  ['/upload/complete', 'GET'],
  ['/upload/complete', 'POST'],
  ['/check', 'POST'],
] as const

/** The requests of tus clients, legacy pages, and clients of the IETF draft. */
const HEADERS = [
  ...['tus-resumable', 'upload-length', 'upload-offset', 'upload-metadata', 'upload-defer-length', 'upload-concat'],
  ...['upload-checksum', 'x-http-method-override', 'content-type', 'x-requested-with', 'x-request-id', 'authorization'],
  ...['upload-complete', 'upload-draft-interop-version', 'want-repr-digest', 'range', 'if-none-match'],
]

function preflight(path: string, method: string, origin = PAGE): Promise<Response> {
  return fetch(`${service.url}${path}`, {
    method: 'OPTIONS',
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': HEADERS.join(', '),
    },
  })
}

describe('A page of an allowed origin', () => {
  it.each(ROUTES)('may send to %s by %s, with its cookies', async (path, method) => {
    service = await startService({ ALLOWED_ORIGINS: `https://other.example, ${PAGE}` })
    const response = await preflight(path, method)
    expect(response.status).toBe(204)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
    expect(response.headers.get('Access-Control-Allow-Credentials')).toBe('true')
    expect(response.headers.get('Access-Control-Allow-Methods')?.split(', ')).toContain(method)
    const allowed = response.headers.get('Access-Control-Allow-Headers') ?? ''
    for (const header of HEADERS) expect(allowed).toContain(header)
    expect(response.headers.get('Vary')).toContain('Origin')
    expect(await response.text()).toBe('')
  })

  it('can read the headers of tus, and errors', async () => {
    service = await startService({ ALLOWED_ORIGINS: PAGE })
    const content = bytesOf(10)
    const url = await createUpload(service.url, content.length)
    await patch(url, 0, content.subarray(0, 4))
    const answers = [
      [200, await fetch(url, { method: 'HEAD', headers: { ...TUS, Origin: PAGE } })],
      [404, await fetch(url, { headers: { Origin: PAGE } })],
      [412, await fetch(`${service.url}/files`, { method: 'POST', headers: { Origin: PAGE } })],
      [404, await fetch(`${service.url}/nowhere`, { headers: { Origin: PAGE } })],
      [405, await fetch(`${service.url}/files`, { method: 'DELETE', headers: { Origin: PAGE } })],
    ] as const
    for (const [status, response] of answers) {
      expect(response.status).toBe(status)
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
      const exposed = response.headers.get('Access-Control-Expose-Headers') ?? ''
      for (const header of ['Location', 'Upload-Offset', 'Upload-Length', 'Tus-Resumable', 'Upload-Metadata']) {
        expect(exposed.split(', ')).toContain(header)
      }
    }
    await expectToResume(service, url, content, 4)
  })

  it('can read errors of accept and complete, and the response of check', async () => {
    service = await startService({ ALLOWED_ORIGINS: PAGE })
    const content = bytesOf(100)
    const bad = multipartBody({ ...fileFields('big.bin', 100), size: '-1' }, content)
    for (const [status, path, init] of [
      [400, '/upload/accept', { method: 'POST', body: bad, headers: { Origin: PAGE, 'Content-Type': MULTIPART } }],
      [404, '/upload/complete?task_id=wu_unknown', { headers: { Origin: PAGE } }],
      [200, '/check', { method: 'POST', body: 'POST TEST', headers: { Origin: PAGE } }],
      [405, '/check', { headers: { Origin: PAGE } }],
    ] as const) {
      const response = await fetch(`${service.url}${path}`, init)
      expect(response.status).toBe(status)
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
      expect(response.headers.get('Access-Control-Allow-Credentials')).toBe('true')
    }
    await expectFile(service, await land(service.url, cut(content, 1000), 0), content)
  })
})

describe('A page of any origin, where all are allowed,', () => {
  it.each(ROUTES)('may send to %s by %s, but without its cookies', async (path, method) => {
    service = await startService({ ALLOWED_ORIGINS: '*' })
    const response = await preflight(path, method)
    expect(response.status).toBe(204)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(response.headers.has('Access-Control-Allow-Credentials')).toBe(false)
    expect(response.headers.get('Access-Control-Allow-Methods')?.split(', ')).toContain(method)
  })

  it('can read errors, too', async () => {
    service = await startService({ ALLOWED_ORIGINS: '*' })
    const response = await fetch(`${service.url}/upload/complete?task_id=x`, { headers: { Origin: PAGE } })
    expect(response.status).toBe(404)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(response.headers.has('Access-Control-Allow-Credentials')).toBe(false)
  })
})

describe('A page of another origin', () => {
  it.each([
    ['none is allowed', {}, PAGE],
    ['another is allowed', { ALLOWED_ORIGINS: 'https://other.example' }, PAGE],
    ['one that begins alike is allowed', { ALLOWED_ORIGINS: PAGE }, `${PAGE}.evil.example`],
    ['the same host by http is not the same', { ALLOWED_ORIGINS: PAGE }, 'http://pages.example'],
    ['a page of no origin', { ALLOWED_ORIGINS: PAGE }, 'null'],
  ])('receives no header that admits it: %s', async (_, settings, origin) => {
    service = await startService({ ...settings })
    for (const [path, method] of ROUTES) {
      const response = await preflight(path, method, origin)
      expect(response.headers.has('Access-Control-Allow-Origin')).toBe(false)
      expect(response.headers.has('Access-Control-Allow-Credentials')).toBe(false)
      expect(response.headers.get('Vary')).toContain('Origin')
    }
    const read = await fetch(`${service.url}/upload/complete?task_id=x`, { headers: { Origin: origin } })
    expect(read.headers.has('Access-Control-Allow-Origin')).toBe(false)
  })
})
