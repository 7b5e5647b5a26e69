import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, head, patch, TUS } from '../support/tus.ts'
import { type Answer, connect } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

const DATA_POLICY = "default-src 'none'; frame-ancestors 'self'"

function expectSecured({ headers }: Pick<Answer | Response, 'headers'>, embedding = 'same-origin'): void {
  expect({
    'X-Content-Type-Options': headers.get('X-Content-Type-Options'),
    'Cross-Origin-Resource-Policy': headers.get('Cross-Origin-Resource-Policy'),
    'Referrer-Policy': headers.get('Referrer-Policy'),
  }).toEqual({
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': embedding,
    'Referrer-Policy': 'no-referrer',
  })
}

/** The URL of a finished file. */
async function finishedFile(filetype = 'text/plain'): Promise<string> {
  const content = bytesOf(10)
  const url = await createUpload(service.url, content.length, { filetype })
  await patch(url, 0, content)
  return url
}

describe('The security headers', () => {
  it('are on every response, whatever its path and method', async () => {
    service = await startService()
    const { pathname } = new URL(await finishedFile())
    for (const path of [
      ...['/', '/legacy', '/legacy/', '/healthz', '/readyz', '/nowhere', '/static/nothing', '/files', pathname],
      ...['/files/0123', `${pathname}/digest?start=0&end=5`, '/upload/accept', '/upload/complete?task_id=1', '/check'],
    ]) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        expectSecured(await fetch(service.url + path, { method, redirect: 'manual' }))
      }
    }
  })

  it('are on the responses of the data path', async () => {
    service = await startService()
    const url = await createUpload(service.url, 10)
    expectSecured(await patch(url, 0, bytesOf(5)))
    expectSecured(await head(url))
    expectSecured(await fetch(url, { method: 'HEAD', headers: { 'Upload-Draft-Interop-Version': '8' } }))
  })

  it('are on responses to requests that could not be parsed', async () => {
    service = await startService()
    for (const text of ['nonsense\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
      const wire = await connect(service.url)
      await wire.send(text)
      const answer = await wire.answer()
      expectSecured(answer)
      expect(answer.headers.get('Content-Security-Policy')).toBe(DATA_POLICY)
      await wire.cut()
    }
  })

  it('let no foreign page frame JSON, errors, and health checks', async () => {
    service = await startService()
    for (const [path, method] of [
      ['/check', 'POST'],
      ['/upload/complete?task_id=1', 'GET'],
      ['/files/0123', 'GET'],
      ['/healthz', 'GET'],
    ] as const) {
      const { headers } = await fetch(service.url + path, { method })
      expect(headers.get('Content-Security-Policy')).toBe(DATA_POLICY)
    }
  })

  it.each(['/', '/legacy'])('of the page %s let it load its own parts, and nothing else', async (path) => {
    service = await startService()
    const { headers } = await fetch(service.url + path)
    const policy = headers.get('Content-Security-Policy')?.split('; ')
    for (const part of ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "object-src 'none'"]) {
      expect(policy).toContain(part)
    }
    expect(policy).toContain("frame-ancestors 'self'")
    expect(headers.get('Content-Security-Policy')).not.toContain('unsafe')
    expect(headers.get('Cross-Origin-Opener-Policy')).toBe('same-origin')
  })
})

describe('Pages of other origins', () => {
  it('may not embed files', async () => {
    service = await startService()
    expectSecured(await fetch(await finishedFile('image/png')))
  })

  it.each(['https://pages.example', '*'])(
    'may embed files and scripts if some are allowed, but not what the service reports: %s',
    async (origins) => {
      service = await startService({ ALLOWED_ORIGINS: origins })
      const file = await finishedFile('image/png')
      expectSecured(await fetch(file), 'cross-origin')
      expectSecured(await fetch(`${service.url}/static/webuploader/webuploader.min.js`), 'cross-origin')
      expectSecured(await fetch(`${service.url}/landfall-webuploader.js`), 'cross-origin')
      for (const path of ['/', '/healthz', '/upload/complete?task_id=1']) expectSecured(await fetch(service.url + path))
    },
  )
})

describe('An uploaded file', () => {
  it.each([
    ...['script', 'style', 'worker', 'sharedworker', 'serviceworker', 'audioworklet', 'paintworklet', 'manifest'],
    ...['xslt', 'object', 'embed', 'font', 'json', 'report', 'unknown'],
  ])('cannot be loaded as %s', async (destination) => {
    service = await startService()
    const url = await finishedFile('text/javascript')
    const response = await fetch(url, { headers: { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Dest': destination } })
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([403, 'forbidden'])
    expect(await response.text()).toMatch(/^Uploaded files cannot/)
  })

  it('cannot be loaded as a service worker by a browser without Sec-Fetch-Dest, or by a tus request', async () => {
    service = await startService()
    const url = await finishedFile('text/javascript')
    expect((await fetch(url, { headers: { 'Service-Worker': 'script' } })).status).toBe(403)
    expect((await fetch(url, { headers: { ...TUS, 'Service-Worker': 'script' } })).status).toBe(403)
  })

  it('cannot be revalidated as a script, either', async () => {
    service = await startService()
    const url = await finishedFile('text/javascript')
    const etag = (await fetch(url)).headers.get('ETag') ?? ''
    const headers = { 'If-None-Match': etag, 'Sec-Fetch-Dest': 'script' }
    expect((await fetch(url, { headers })).status).toBe(403)
    expect((await fetch(url, { headers: { 'If-None-Match': etag } })).status).toBe(304)
  })

  it.each(['empty', 'document', 'iframe', 'image', 'audio', 'video', 'track'])(
    'can be loaded as %s',
    async (destination) => {
      service = await startService()
      const response = await fetch(await finishedFile('image/png'), { headers: { 'Sec-Fetch-Dest': destination } })
      expect([response.status, response.headers.get('Content-Type')]).toEqual([200, 'image/png'])
    },
  )
})
