import { afterEach, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import { downloadHost } from '../../server/download/download-host.ts'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, head, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'
import { type Answer, connect, requestHead } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

const SETTINGS = { DOWNLOAD_URL: 'https://files.example/base' }
const CONTENT = bytesOf(10)

type Headers = Readonly<Record<string, string>>

/** The response of the host of downloads. */
async function fromDownloadHost(method: string, path: string, headers: Headers = {}): Promise<Answer> {
  const wire = await connect(service.url)
  await wire.send(requestHead(method, path, { Host: 'files.example', ...headers }))
  const answer = await wire.answer(method)
  await wire.cut()
  return answer
}

async function finishedFile(): Promise<string> {
  const url = await createUpload(service.url, CONTENT.length, { filetype: 'image/png' })
  await patch(url, 0, CONTENT)
  return url
}

describe('With DOWNLOAD_URL, the host of the service', () => {
  it.each<[string, Headers]>([
    ['a browser', {}],
    ['a tus client', TUS],
  ])('redirects the download of %s to a link, with its query', async (_, headers) => {
    service = await startService(SETTINGS)
    const url = await finishedFile()
    const response = await fetch(`${url}/?inline=1&x=%2F`, { headers: { ...headers }, redirect: 'manual' })
    expect(response.status).toBe(307)
    const [, name = ''] =
      /^https:\/\/files\.example\/base(\/files\/~[\w-]+)\?inline=1&x=%2F$/.exec(
        response.headers.get('Location') ?? '',
      ) ?? []
    expect(name).not.toBe('')
    expect((await fromDownloadHost('GET', name)).body).toBe(CONTENT.toString('utf8'))
  })

  it('continues to serve uploads and the requests of their clients', async () => {
    service = await startService(SETTINGS)
    const url = await createUpload(service.url, CONTENT.length)
    expect((await patch(url, 0, CONTENT.subarray(0, 5))).status).toBe(204)
    expect((await head(url)).headers.get('Upload-Offset')).toBe('5')
    expect((await fetch(url, { method: 'HEAD' })).headers.get('Upload-Offset')).toBe('5')
    const draft = await fetch(url, { headers: { 'Upload-Draft-Interop-Version': '8' }, redirect: 'manual' })
    expect([draft.status, draft.headers.get('Upload-Offset')]).toEqual([204, '5'])
    expect((await fetch(`${url}/digest?start=0&end=5`, { redirect: 'manual' })).status).toBe(200)
    expect((await fetch(`${service.url}/legacy`)).status).toBe(200)
  })

  it('redirects a link as it is, and creates links to the host of downloads', async () => {
    service = await startService(SETTINGS)
    const created = await fetch(`${await finishedFile()}/link`, { method: 'POST' })
    const { url }: { url: string } = JSON.parse(await created.text())
    expect(url).toMatch(/^https:\/\/files\.example\/base\/files\/~/)
    const path = url.replace('https://files.example/base', '')
    const response = await fetch(service.url + path, { redirect: 'manual' })
    expect([response.status, response.headers.get('Location')]).toEqual([307, url])
    expect((await fromDownloadHost('GET', path)).status).toBe(200)
  })

  it('redirects nothing that the client may not read', async () => {
    service = await startService(SETTINGS)
    expect((await fetch(`${service.url}/files/${'0'.repeat(32)}`, { redirect: 'manual' })).status).toBe(404)
    await service.close()
    service = await startService({ ...SETTINGS, DOWNLOADS: 'signed' })
    expect((await fetch(await finishedFile(), { redirect: 'manual' })).status).toBe(403)
  })

  it('gives a signed-in client a link, because its credentials do not reach the other host', async () => {
    const secret = 'a secret of the application, long enough'
    service = await startService({ ...SETTINGS, AUTH: 'jwt', JWT_SECRET: secret })
    const token = await new SignJWT({ sub: 'ada' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret))
    const Authorization = `Bearer ${token}`
    const headers = { ...PATCH_HEADERS, 'Upload-Length': String(CONTENT.length), Authorization }
    const created = await fetch(`${service.url}/files`, { method: 'POST', headers, body: CONTENT })
    const { pathname } = new URL(created.headers.get('Location') ?? '', service.url)
    const ask = (more: Headers): Promise<Response> =>
      fetch(service.url + pathname, { headers: more, redirect: 'manual' })
    expect((await ask({})).status).toBe(401)
    const redirected = (await ask({ Authorization })).headers.get('Location') ?? ''
    expect((await fromDownloadHost('GET', redirected.replace('https://files.example/base', ''))).status).toBe(200)
    expect((await fromDownloadHost('GET', pathname)).status).toBe(401)
  })
})

describe('The host of DOWNLOAD_URL', () => {
  it('serves files, which other pages may embed, and health checks', async () => {
    service = await startService(SETTINGS)
    const { pathname } = new URL(await finishedFile())
    const file = await fromDownloadHost('GET', pathname)
    expect([file.status, file.body]).toEqual([200, CONTENT.toString('utf8')])
    expect(file.headers.get('Cross-Origin-Resource-Policy')).toBe('cross-origin')
    expect((await fromDownloadHost('HEAD', `${pathname}?inline`)).status).toBe(200)
    expect((await fromDownloadHost('GET', pathname, { Range: 'bytes=2-3' })).status).toBe(206)
    expect((await fromDownloadHost('GET', '/healthz')).status).toBe(200)
    expect((await fromDownloadHost('GET', pathname, { Host: 'FILES.example.:8443' })).status).toBe(200)
  })

  it('serves nothing else', async () => {
    service = await startService(SETTINGS)
    const { pathname } = new URL(await createUpload(service.url, CONTENT.length))
    for (const [method, path, headers] of [
      ['GET', '/', {}],
      ['GET', '/legacy', {}],
      ['GET', '/static/legacy/legacy.js', {}],
      ['GET', '/upload/complete?task_id=1', {}],
      ['GET', `${pathname}/digest?start=0&end=5`, {}],
      ['GET', pathname, { 'Upload-Draft-Interop-Version': '8' }],
      ['HEAD', pathname, TUS],
      ['HEAD', pathname, { 'Upload-Draft-Interop-Version': '8' }],
      ['OPTIONS', pathname, {}],
      ['DELETE', pathname, TUS],
      ['PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Content-Length': '0' }],
      ['POST', pathname, { ...TUS, 'X-HTTP-Method-Override': 'DELETE', 'Content-Length': '0' }],
      ['POST', '/files', { ...TUS, 'Upload-Length': '1', 'Content-Length': '0' }],
      ['POST', '/check', { 'Content-Length': '0' }],
      ['POST', '/upload/accept', { 'Content-Length': '0' }],
    ] as const) {
      const answer = await fromDownloadHost(method, path, headers)
      expect([method, path, answer.status]).toEqual([method, path, 404])
      expect(answer.headers.has('Set-Cookie')).toBe(false)
    }
    expect((await head(`${service.url}${pathname}`)).headers.get('Upload-Offset')).toBe('0')
  })

  it('may be stated by a trusted proxy', async () => {
    service = await startService({ ...SETTINGS, TRUST_PROXY: 'true' })
    const headers = { 'X-Forwarded-Host': 'files.example' }
    expect((await fetch(`${service.url}/legacy`, { headers })).status).toBe(404)
    expect((await fetch(await finishedFile(), { headers })).status).toBe(200)
    expect((await fetch(`${service.url}/legacy`)).status).toBe(200)
  })

  it('must differ from that of PUBLIC_URL: cookies ignore ports', async () => {
    service = await startService()
    const start = (): unknown => downloadHost('https://up.example:8443', 'https://up.example', 'false')
    expect(start).toThrow('DOWNLOAD_URL must have another host name than PUBLIC_URL.')
  })
})
