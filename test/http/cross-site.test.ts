import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { expectRefusal, expectRefusalText, land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectToResume } from '../support/stored-uploads.ts'
import { createUpload, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { complete, cut, MULTIPART, multipartBody } from '../support/webuploader.ts'
import { connect, requestHead } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

type Headers = Readonly<Record<string, string>>

const PAGE = 'https://pages.example'
const LISTED = { ALLOWED_ORIGINS: `https://other.example,${PAGE}` }
const ALL = { ALLOWED_ORIGINS: '*' }
const PROXY = { TRUST_PROXY: 'true' }
const PUBLIC = { PUBLIC_URL: 'https://up.example/base' }
const ID = '0'.repeat(32)
const COOKIE = { Cookie: `landfall_visitor=${'a'.repeat(32)}` }

const METHODS = ['OPTIONS', 'HEAD', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const PATHS = [
  '/landfall-webuploader.js',
  ...['/', '/legacy', '/upload/accept', '/healthz', '/readyz', '/assets/a.js', '/static/a.js', `/files/${ID}`],
  ...['/files', `/files/${ID}/digest?start=0&end=1`, '/upload/complete?task_id=1', '/check', '/session', '/tokens'],
  ...[`/files/${ID}/link`, '/nowhere'],
]
/** What any page may show or link to. */
const SHOWN = new Set([
  ...METHODS.slice(0, 3).flatMap((method) => PATHS.slice(0, 8).map((shown) => `${method} ${shown}`)),
  ...PATHS.map((shown) => `OPTIONS ${shown}`),
  `GET /files/${ID}`,
])

/** `HOST` in a value stands for the host of the service. */
function asSent(headers: Headers): Headers {
  const { host } = new URL(service.url)
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replaceAll('HOST', host)]))
}

/** The requests, of every path and method, that are refused as cross-site. */
async function refusedWith(headers: Headers): Promise<Set<string>> {
  const sent = asSent(headers)
  const codeFor = async (method: string, target: string): Promise<string | null> => {
    const response = await fetch(service.url + target, { method, headers: sent, redirect: 'manual' })
    await response.arrayBuffer()
    const code = response.headers.get('Upload-Error')
    if (code === 'cross_site') expect(response.status).toBe(403)
    return code
  }
  const refused = new Set<string>()
  for (const target of PATHS) {
    const codes = await Promise.all(METHODS.map((method) => codeFor(method, target)))
    METHODS.forEach((method, i) => {
      if (codes[i] === 'cross_site') refused.add(`${method} ${target}`)
    })
  }
  return refused
}

const EVERYTHING_ELSE = new Set(
  PATHS.flatMap((target) => METHODS.map((method) => `${method} ${target}`)).filter((request) => !SHOWN.has(request)),
)

describe('A request of a foreign page, of any path and method,', () => {
  it.each<[string, Headers, Headers]>([
    ['of another site', { 'Sec-Fetch-Site': 'cross-site' }, {}],
    ['of another port or a sibling host', { 'Sec-Fetch-Site': 'same-site' }, {}],
    ['with an unknown Sec-Fetch-Site', { 'Sec-Fetch-Site': 'cross-origin' }, {}],
    ['with two values of it', { 'Sec-Fetch-Site': 'same-origin, cross-site' }, {}],
    ['of another site that names our origin', { 'Sec-Fetch-Site': 'cross-site', Origin: 'http://HOST' }, {}],
    ['with its origin only', { Origin: 'http://evil.example' }, {}],
    ['with another port of our host', { Origin: 'http://127.0.0.1:1' }, {}],
    ['with our host without its port', { Origin: 'http://127.0.0.1' }, {}],
    ['with an opaque origin', { Origin: 'null' }, {}],
    ['with two origins', { Origin: 'http://HOST, http://evil.example' }, {}],
    ['with a host that no trusted proxy states', { Origin: 'http://up.example', 'X-Forwarded-Host': 'up.example' }, {}],
    ['with a cookie', { 'Sec-Fetch-Site': 'cross-site', ...COOKIE }, {}],
    ['with an overridden method', { Origin: 'http://evil.example', 'X-HTTP-Method-Override': 'POST' }, {}],
    ['of an element of an allowed page, which has no Origin', { 'Sec-Fetch-Site': 'cross-site' }, LISTED],
    ['of an origin that begins like an allowed one', { Origin: `${PAGE}.evil.example` }, LISTED],
    ['of an allowed host by http', { 'Sec-Fetch-Site': 'cross-site', Origin: 'http://pages.example' }, LISTED],
    ['of an opaque origin, where others are allowed', { 'Sec-Fetch-Site': 'cross-site', Origin: 'null' }, LISTED],
    ['with a cookie, where all origins are allowed', { 'Sec-Fetch-Site': 'same-site', Origin: PAGE, ...COOKIE }, ALL],
    ['with a cookie and no Sec-Fetch-Site, where all are allowed', { Origin: PAGE, ...COOKIE }, ALL],
    ['of another host than the proxy states', { Origin: PAGE, 'X-Forwarded-Host': 'up.example' }, PROXY],
    [
      'of another port than the proxy states',
      { Origin: 'https://up.example:8443', 'X-Forwarded-Host': 'up.example' },
      PROXY,
    ],
    ['of a sibling of PUBLIC_URL', { Origin: 'https://a.up.example' }, PUBLIC],
  ])('is refused unless it only shows something: %s', async (_, headers, settings) => {
    service = await startService({ ...settings })
    expect(await refusedWith(headers)).toEqual(EVERYTHING_ELSE)
  })
})

describe('A request of any path and method', () => {
  it.each<[string, Headers, Headers]>([
    ['of a native client', {}, {}],
    ['of a page of the service', { 'Sec-Fetch-Site': 'same-origin', Origin: 'http://HOST' }, {}],
    [
      'of a page of the service behind a proxy that replaces Host',
      { 'Sec-Fetch-Site': 'same-origin', Origin: PAGE },
      {},
    ],
    ['of the address bar', { 'Sec-Fetch-Site': 'none' }, {}],
    ['of a page of the service by plain http', { Origin: 'http://HOST' }, {}],
    ['of a page of the service behind a proxy with TLS', { Origin: 'https://HOST' }, {}],
    ['of a page of the service, with its cookie', { Origin: 'http://HOST', ...COOKIE }, {}],
    ['of an allowed page', { 'Sec-Fetch-Site': 'cross-site', Origin: PAGE }, LISTED],
    ['of an allowed sibling, with its cookie', { 'Sec-Fetch-Site': 'same-site', Origin: PAGE, ...COOKIE }, LISTED],
    ['of an allowed page by plain http', { Origin: PAGE }, LISTED],
    ['of any page, if all are allowed', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://any.example' }, ALL],
    ['of a page without an origin, if all are allowed', { Origin: 'null' }, ALL],
    ['of the service, with its cookie, if all are allowed', { 'Sec-Fetch-Site': 'same-origin', ...COOKIE }, ALL],
    [
      'of the host that a trusted proxy states',
      { Origin: 'https://up.example', 'X-Forwarded-Host': 'up.example' },
      PROXY,
    ],
    [
      'of the host and port in Forwarded',
      { Origin: 'https://up.example:8443', Forwarded: 'host="up.example:8443"' },
      { TRUST_PROXY: 'forwarded' },
    ],
    ['of the host of PUBLIC_URL', { Origin: 'https://up.example' }, PUBLIC],
  ])('is not cross-site: %s', async (_, headers, settings) => {
    service = await startService({ ...settings })
    expect(await refusedWith(headers)).toEqual(new Set())
  })
})

const FOREIGN = { 'Sec-Fetch-Site': 'cross-site', Origin: 'http://evil.example' }

describe('A foreign page', () => {
  it('plants no file: by a form, by text with the fields in the query, or by an overridden method', async () => {
    service = await startService()
    const file = cut(bytesOf(100), 1000)
    const query = new URLSearchParams(Object.entries(file.common).map(([name, value]) => [name, String(value)]))
    const body = file.bytes(0)
    for (const [target, headers, sent] of [
      ['/upload/accept', { 'Content-Type': MULTIPART }, multipartBody(file.fields(0), body)],
      [`/upload/accept?${query}`, { 'Content-Type': 'text/plain' }, body],
      [`/upload/accept?${query}`, {}, body],
      ['/files', { ...TUS, 'Upload-Length': '0' }, undefined],
      ['/files', { 'Upload-Complete': '?1' }, body],
      ['/files', { ...TUS, 'Upload-Length': '0', 'X-HTTP-Method-Override': 'HEAD' }, undefined],
    ] as const) {
      const response = await fetch(service.url + target, {
        method: 'POST',
        headers: { ...headers, ...FOREIGN },
        ...(sent === undefined ? {} : { body: sent }),
      })
      expect(response.status).toBe(403)
    }
    for (const folder of ['incoming', 'files', 'records', 'senders', 'visitors', 'adoptions']) {
      expect([folder, await readdir(path.join(service.dataDir, folder))]).toEqual([folder, []])
    }
  })

  it('neither appends to an upload, nor deletes it, nor asks for its offset', async () => {
    service = await startService()
    const content = bytesOf(10)
    const url = await createUpload(service.url, content.length)
    const body = content.subarray(0, 4)
    for (const [method, headers] of [
      ['HEAD', {}],
      ['HEAD', TUS],
      ['DELETE', TUS],
      ['DELETE', {}],
      ['PATCH', { ...PATCH_HEADERS, 'Upload-Offset': '0' }],
      ['POST', { ...PATCH_HEADERS, 'Upload-Offset': '0', 'X-HTTP-Method-Override': 'PATCH' }],
      ['POST', { ...TUS, 'X-HTTP-Method-Override': 'DELETE' }],
    ] as const) {
      const sent = 'Content-Type' in headers ? { body } : {}
      const response = await fetch(url, { method, headers: { ...headers, ...FOREIGN }, ...sent })
      expect([response.status, response.headers.get('Upload-Offset')]).toEqual([403, null])
    }
    await expectToResume(service, url, content, 0)
  })

  it('receives the same response about a known and an unknown task', async () => {
    service = await startService()
    await land(service.url, cut(bytesOf(100), 1000, { task_id: 'wu_known' }), 0)
    expect((await complete(service.url, { task_id: 'wu_known' })).status).toBe(200)
    const answers = ['wu_known', 'wu_unknown'].map(async (task) => {
      const response = await fetch(`${service.url}/upload/complete?task_id=${task}`, {
        headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Dest': 'object' },
      })
      return [response.status, await response.text()]
    })
    const [known, unknown] = await Promise.all(answers)
    expect(known?.[0]).toBe(403)
    expect(known).toEqual(unknown)
  })

  it('cannot replace the cookie of a visitor, whose browser withholds it from a foreign form', async () => {
    service = await startService()
    const response = await fetch(`${service.url}/check`, {
      method: 'POST',
      headers: { ...FOREIGN, 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'POST=TEST',
    })
    await expectRefusal(response, 403, 'cross_site')
    expect(response.headers.has('Set-Cookie')).toBe(false)
  })

  it('is refused before its body is asked for', async () => {
    service = await startService()
    const wire = await connect(service.url)
    const headers = { 'Content-Type': MULTIPART, 'Content-Length': 1000, Expect: '100-continue', ...FOREIGN }
    await wire.send(requestHead('POST', '/upload/accept', headers))
    const { status, body } = await wire.next()
    expectRefusalText(status, body, 403, 'cross_site')
    await wire.cut()
  })

  it('is refused in the dialect of the client', async () => {
    service = await startService()
    const ask = (target: string, headers: Headers = {}): Promise<Response> =>
      fetch(service.url + target, { method: 'POST', headers: { ...FOREIGN, ...headers } })
    expect(await expectRefusal(await ask('/check'), 403, 'cross_site')).toContain('ALLOWED_ORIGINS')
    const tus = await ask('/files', TUS)
    expect([tus.status, await tus.text()]).toEqual([403, expect.stringMatching(/^[A-Z].*ALLOWED_ORIGINS.*\.\n$/)])
    const draft = await ask('/files', { 'Upload-Complete': '?1' })
    expect(draft.headers.get('Content-Type')).toBe('application/problem+json')
    expect(JSON.parse(await draft.text())).toMatchObject({ status: 403, code: 'cross_site' })
  })
})

describe('A page on another host that is allowed', () => {
  it('uploads with WebUploader, and reads every response', async () => {
    service = await startService(LISTED)
    const file = cut(bytesOf(250), 100)
    const headers = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors', Origin: PAGE }
    const ask = async (target: string, init: RequestInit): Promise<unknown> => {
      const response = await fetch(service.url + target, { ...init, headers: { ...headers, ...init.headers } })
      expect([response.status, response.headers.get('Access-Control-Allow-Origin')]).toEqual([200, PAGE])
      return response.json()
    }
    expect(await ask('/check', { method: 'POST', body: 'POST=TEST' })).toEqual({ file_list: [[]] })
    for (const chunk of [0, 1, 2]) {
      const body = multipartBody(file.fields(chunk), file.bytes(chunk))
      const sent = { method: 'POST', body, headers: { 'Content-Type': MULTIPART } }
      expect(await ask('/upload/accept', sent)).toMatchObject({ ok: true, finished: chunk === 2 })
    }
    expect(await ask(`/upload/complete?task_id=${file.common.task_id}`, {})).toMatchObject({ ok: true, size: 250 })
  })
})
