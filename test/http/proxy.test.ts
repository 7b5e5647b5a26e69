import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { create, createUpload, head, patch, TUS } from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

type Headers = Readonly<Record<string, string>>

async function locationFor(headers: Headers): Promise<string | null> {
  const response = await create(service.url, { 'Upload-Length': '5', ...headers })
  expect(response.status).toBe(201)
  return response.headers.get('Location')
}

async function cookieFor(headers: Headers): Promise<string> {
  const response = await fetch(`${service.url}/check`, {
    method: 'POST',
    headers,
    body: new URLSearchParams('POST=TEST'),
  })
  return response.headers.get('Set-Cookie') ?? ''
}

const PATH = /^\/files\/[0-9a-f]{32}$/

describe('Location', () => {
  it.each<[string, Headers, string]>([
    ['an address', {}, '127.0.0.1'],
    ['the requested address and port', { Host: '127.0.0.2:8080' }, '127.0.0.2:8080'],
    ['IPv6', { Host: '[::1]:1080' }, '[::1]:1080'],
    ['a local name', { Host: 'NAS.lan' }, 'nas.lan'],
    ['an allowed name', { Host: 'up.example:1080' }, 'up.example:1080'],
  ])('is absolute for a trusted host without a proxy or browser: %s', async (_, headers, host) => {
    service = await startService({ ALLOWED_HOSTS: 'up.example' })
    const wire = await connect(service.url)
    const said = { Host: new URL(service.url).host, ...TUS, 'Upload-Length': 5, ...headers }
    await wire.send(requestHead('POST', '/files', said))
    const location = new URL((await wire.answer()).headers.get('Location') ?? '', 'http://relative')
    expect(location.href).toMatch(new RegExp(`^http://${host.replace(/[[\].]/g, '\\$&')}(:\\d+)?/files/[0-9a-f]{32}$`))
    await wire.cut()
  })

  it('has the host of an absolute target', async () => {
    service = await startService()
    const wire = await connect(service.url)
    await wire.send(requestHead('POST', 'http://nas.lan/files', { Host: 'other', ...TUS, 'Upload-Length': 5 }))
    expect((await wire.answer()).headers.get('Location')).toMatch(/^http:\/\/nas\.lan\/files\//)
    await wire.cut()
  })

  it.each<[string, Headers]>([
    ['a page', { Origin: 'http://127.0.0.1' }],
    ['a page without an origin', { Origin: 'null' }],
    ['a page of an old browser', { Referer: 'http://127.0.0.1/' }],
    ['X-Forwarded-For', { 'X-Forwarded-For': '192.0.2.1' }],
    ['X-Forwarded-Host and a prefix', { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Prefix': '/evil' }],
    ['another X-Forwarded header', { 'X-Forwarded-Ssl': 'on' }],
    ['Forwarded', { Forwarded: 'host=evil.example;proto=https' }],
    ['Via', { Via: '1.1 proxy' }],
  ])('is relative for a browser or behind a proxy: %s', async (_, headers) => {
    for (const trust of ['false', 'true', 'forwarded']) {
      service = await startService({ TRUST_PROXY: trust, ALLOWED_ORIGINS: '*' })
      const location = await locationFor(headers)
      expect(location).toMatch(trust === 'true' && headers['X-Forwarded-Prefix'] ? /^\/evil\/files\// : PATH)
      if (trust !== 'forwarded') await service.close()
    }
  })

  it('is relative for a host that is only accepted, or absent', async () => {
    service = await startService({ ALLOWED_HOSTS: '*' })
    const wire = await connect(service.url)
    await wire.send(requestHead('POST', '/files', { Host: 'any.example', ...TUS, 'Upload-Length': 5 }))
    expect((await wire.answer()).headers.get('Location')).toMatch(PATH)
    await wire.send('POST /files HTTP/1.0\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n\r\n')
    expect((await wire.answer()).headers.get('Location')).toMatch(PATH)
    await wire.cut()
  })

  it('is built on PUBLIC_URL, with its path', async () => {
    service = await startService({ PUBLIC_URL: 'https://up.example/uploads/', TRUST_PROXY: 'true' })
    expect(await locationFor({ 'X-Forwarded-Prefix': '/other' })).toMatch(
      /^https:\/\/up\.example\/uploads\/files\/\w{32}$/,
    )
  })

  it('has the path that a trusted proxy has removed: the last of a list', async () => {
    service = await startService({ TRUST_PROXY: 'true' })
    expect(await locationFor({ 'X-Forwarded-Prefix': '/a/b-c/' })).toMatch(/^\/a\/b-c\/files\//)
    expect(await locationFor({ 'X-Forwarded-Prefix': '/mine, /proxy' })).toMatch(/^\/proxy\/files\//)
  })

  it.each([
    '//evil.example',
    'https://evil.example',
    '/a//b',
    '/../x',
    '/a/..',
    'x',
    '/',
    '/a b',
    '/a?b',
    '/%2f',
    '\\\\x',
  ])('ignores a prefix that is not a plain path: %s', async (prefix) => {
    service = await startService({ TRUST_PROXY: 'true' })
    expect(await locationFor({ 'X-Forwarded-Prefix': prefix })).toMatch(PATH)
  })

  it('ignores X-Forwarded-Prefix if the proxy sets Forwarded', async () => {
    service = await startService({ TRUST_PROXY: 'forwarded' })
    expect(await locationFor({ 'X-Forwarded-Prefix': '/mine' })).toMatch(PATH)
  })
})

describe('The cookie of /check', () => {
  const list = { LEGACY_CHECK: 'list' }
  it.each<[string, Headers, boolean]>([
    ['false', { 'X-Forwarded-Proto': 'https', Forwarded: 'proto=https' }, false],
    ['true', { 'X-Forwarded-Proto': 'https' }, true],
    ['true', { 'X-Forwarded-Proto': 'http, https' }, true],
    ['true', { 'X-Forwarded-Proto': 'https, http' }, false],
    ['true', { Forwarded: 'proto=https' }, false],
    ['forwarded', { Forwarded: 'for=192.0.2.1;proto=https' }, true],
    ['forwarded', { Forwarded: 'proto=http, For="[2001:db8::1]:4711" ; Proto=https;by="a,b;c"' }, true],
    ['forwarded', { Forwarded: 'proto=https, for=192.0.2.1;proto=http' }, false],
    ['forwarded', { Forwarded: 'for="proto=https' }, false],
    ['forwarded', { 'X-Forwarded-Proto': 'https' }, false],
  ])('has the attribute Secure, with TRUST_PROXY=%s and %j: %s', async (trust, headers, secure) => {
    service = await startService({ ...list, TRUST_PROXY: trust })
    const cookie = await cookieFor(headers)
    expect(cookie).toContain('landfall_visitor=')
    expect(/; *secure/i.test(cookie)).toBe(secure)
  })
})

describe('The URL of an upload', () => {
  it('may end with a slash, and may have a query', async () => {
    service = await startService()
    const content = bytesOf(10)
    const made = await fetch(`${service.url}/files/`, { method: 'POST', headers: { ...TUS, 'Upload-Length': '10' } })
    expect(made.status).toBe(201)
    expect((await fetch(`${service.url}/files/?x=1`, { method: 'OPTIONS' })).status).toBe(204)
    const url = await createUpload(service.url, content.length)
    for (const ending of ['?x=1', '/', '/?token=a%2Fb']) {
      expect((await head(`${url}${ending}`)).headers.get('Upload-Offset')).toBe('0')
    }
    expect((await patch(`${url}?x=1`, 0, content)).status).toBe(204)
    expect(await (await fetch(`${url}/?inline=1`)).arrayBuffer()).toHaveProperty('byteLength', 10)
    expect((await fetch(`${url}?x=1`, { method: 'DELETE', headers: TUS })).status).toBe(204)
    expect((await fetch(`${service.url}//files`, { method: 'POST', headers: TUS })).status).toBe(404)
  })
})

describe('An error', () => {
  it('has its code in a header, too, because the response to a HEAD has no body', async () => {
    service = await startService()
    const response = await head(`${service.url}/files/${'0'.repeat(32)}`)
    expect(response.status).toBe(404)
    expect(response.headers.get('Upload-Error')).toBe('not_found')
  })
})
