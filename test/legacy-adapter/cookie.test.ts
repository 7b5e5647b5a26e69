import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { cut, MULTIPART, multipartBody } from '../support/webuploader.ts'

let service: TestService
afterEach(() => service.close())

type Headers = Readonly<Record<string, string>>

/** The cookie in the response. `HOST` in a value stands for the host of the service. */
async function cookieFor(path: string, headers: Headers): Promise<string | null> {
  const { host } = new URL(service.url)
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('HOST', host)]))
  const method = path === '/check' ? 'POST' : 'GET'
  const response = await fetch(service.url + path, { method, headers: own })
  await response.arrayBuffer()
  return response.headers.get('Set-Cookie')
}

describe.each(['/check', '/legacy'])('A request for %s', (path) => {
  it.each<[string, Headers]>([
    ['without Origin', {}],
    ['from its own origin', { Origin: 'http://HOST' }],
    ['from its own host over TLS', { Origin: 'https://HOST' }],
    ['with Sec-Fetch-Site: same-origin', { 'Sec-Fetch-Site': 'same-origin', Origin: 'null' }],
    ['from the address bar', { 'Sec-Fetch-Site': 'none' }],
    ['with an invalid cookie', { Cookie: 'landfall_visitor=x' }],
  ])('%s sets the cookie', async (_, headers) => {
    service = await startService()
    expect(await cookieFor(path, headers)).toMatch(
      /^landfall_visitor=[0-9a-f]{32}; path=\/; max-age=31536000; samesite=lax; httponly$/,
    )
  })

  it.each<[string, Headers]>([
    ['from another origin', { Origin: 'http://other.example' }],
    ['from another port of its host', { Origin: 'http://127.0.0.1:1' }],
    ['from an opaque origin', { Origin: 'null' }],
    ['with Sec-Fetch-Site: cross-site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'http://HOST' }],
    ['with Sec-Fetch-Site: same-site', { 'Sec-Fetch-Site': 'same-site' }],
    ['of a visitor', { Cookie: `landfall_visitor=${'a'.repeat(32)}` }],
    [
      'with a host that only a trusted proxy may state',
      { Origin: 'http://up.example', 'X-Forwarded-Host': 'up.example' },
    ],
  ])('%s sets no cookie', async (_, headers) => {
    service = await startService()
    expect(await cookieFor(path, headers)).toBeNull()
  })
})

describe('The cookie over TLS', () => {
  it.each<[string, Headers, Headers]>([
    ['by PUBLIC_URL', { PUBLIC_URL: 'https://up.example/base' }, {}],
    ['by PUBLIC_URL, whose origin is its own', { PUBLIC_URL: 'https://up.example' }, { Origin: 'https://up.example' }],
    [
      'by a proxy',
      { TRUST_PROXY: 'true' },
      { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'up.example', Origin: 'https://up.example' },
    ],
    [
      'by Forwarded',
      { TRUST_PROXY: 'forwarded' },
      { Forwarded: 'proto=https;host="up.example:8443"', Origin: 'https://up.example:8443' },
    ],
  ])('is bound to the host: %s', async (_, settings, headers) => {
    service = await startService(settings)
    const cookie = /^__Host-landfall_visitor=[0-9a-f]{32}; path=\/; max-age=31536000; samesite=lax; secure; httponly$/
    expect(await cookieFor('/check', headers)).toMatch(cookie)
    const planted = { ...headers, Cookie: `landfall_visitor=${'a'.repeat(32)}` }
    expect(await cookieFor('/check', planted)).toMatch(cookie)
  })

  it('is not replaced by one that a sibling host can plant', async () => {
    service = await startService({ PUBLIC_URL: 'https://up.example' })
    const file = cut(bytesOf(250), 100, { task_id: 'wu_planted_by_a_neighbour' })
    const send = async (chunk: number, cookie: string): Promise<{ id?: string }> => {
      const response = await fetch(`${service.url}/upload/accept`, {
        method: 'POST',
        headers: { 'Content-Type': MULTIPART, Cookie: cookie },
        body: multipartBody(file.fields(chunk), file.bytes(chunk)),
      })
      expect(response.status).toBe(200)
      return JSON.parse(await response.text())
    }
    const planted = `landfall_visitor=${'a'.repeat(32)}`
    const { id } = await send(0, `${planted}; __Host-landfall_visitor=${'b'.repeat(32)}`)
    expect((await send(0, planted)).id).not.toBe(id)
    service = await service.restart()
    const list = async (cookie: string): Promise<unknown> =>
      (await fetch(`${service.url}/check`, { method: 'POST', headers: { Cookie: cookie } })).json()
    expect(await list(planted)).toEqual({ file_list: [[]] })
  })
})
