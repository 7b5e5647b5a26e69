import { afterEach, describe, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { TUS } from '../support/tus.ts'
import { type Answer, connect, requestHead } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

type Headers = Readonly<Record<string, string | number>>

/** The response to a request of exactly these bytes, on its own connection. */
async function answerTo(text: string, method = 'GET'): Promise<Answer> {
  const wire = await connect(service.url)
  await wire.send(text)
  const answer = await wire.answer(method)
  await wire.cut()
  return answer
}

const ask = (host: string, headers: Headers = {}, path = '/files/0123'): Promise<Answer> =>
  answerTo(requestHead('GET', path, { Host: host, ...headers }))

async function statusesFor(hosts: readonly string[], headers: Headers = {}): Promise<Record<string, number>> {
  const all = hosts.map(async (host) => [host, (await ask(host, headers)).status] as const)
  return Object.fromEntries(await Promise.all(all))
}

const allWith = (hosts: readonly string[], status: number): Record<string, number> =>
  Object.fromEntries(hosts.map((host) => [host, status]))

/** Hosts that no other site can have. */
const OWN = [
  ...['localhost', 'LOCALHOST:8080', 'localhost.', 'app.localhost', '127.0.0.1', '127.0.0.1:1080', '127.9.9.9:'],
  ...['[::1]', '[::1]:1080', '[2001:db8::7]', '[::FFFF:10.0.0.1]:80', '192.168.1.20', '203.0.113.9:65535'],
  ...['nas', 'landfall:1080', 'my_host', 'nas.local', 'nas.LAN', 'up.corp.internal', 'nas.home.arpa', 'up.prod.svc'],
]
const FOREIGN = [
  ...['evil.example', 'EVIL.example:1080', 'evil.example.', 'localhost.evil.example', '127.0.0.1.evil.example'],
  ...['evil.local.example', 'evil-local.example', 'notlocal.lan.com', 'xn--bcher-kva.example', '1.2.3', 'x.svc.com'],
]
const MALFORMED = [
  ...['', ' ', 'a b', 'user@localhost', 'localhost:port', 'localhost:99999', 'localhost:-1', 'localhost:1:2', ':80'],
  ...['%6cocalhost', 'loc%61lhost', '[::1', '::1', '[fe80::1%25eth0]', '[localhost]', '[]', '.localhost', 'a..b'],
  ...['localhost/', 'localhost,evil.example', 'localhost\tx', 'b\xfccher.example', '<b>', `${'a'.repeat(64)}.local`],
]

describe('A request', () => {
  it('is accepted for every host that no other site can have, without any setting', async () => {
    service = await startService()
    expect(await statusesFor(OWN)).toEqual(allWith(OWN, 404))
  })

  it('receives 421 for a host that may be another site, whose name could resolve to this service', async () => {
    service = await startService()
    expect(await statusesFor(FOREIGN)).toEqual(allWith(FOREIGN, 421))
    for (const path of ['/', '/legacy', '/assets/x', '/upload/complete?task_id=1', '/files']) {
      expect((await ask('evil.example', {}, path)).status).toBe(421)
    }
  })

  it('receives a sentence with the setting that allows the host, in the dialect of its path, and a page can read it', async () => {
    service = await startService({ ALLOWED_ORIGINS: 'https://pages.example' })
    const headers = { Origin: 'https://pages.example' }
    const plain = await ask('evil.example:80', headers)
    expect(plain.body).toMatch(/^[A-Z].*evil\.example.*ALLOWED_HOSTS.*\.\n$/)
    expect(plain.headers.get('Access-Control-Allow-Origin')).toBe('https://pages.example')
    expect(plain.headers.get('Upload-Error')).toBe('host_not_allowed')
    const legacy = await ask('evil.example', headers, '/check')
    expect(JSON.parse(legacy.body)).toMatchObject({ ok: false, error: { code: 'host_not_allowed' } })
    const draft = await ask('evil.example', { ...headers, 'Upload-Draft-Interop-Version': 8 })
    expect(JSON.parse(draft.body)).toMatchObject({ status: 421, detail: expect.stringContaining('ALLOWED_HOSTS') })
  })

  it('receives 400 for an invalid host, even on the health paths', async () => {
    service = await startService({ ALLOWED_HOSTS: '*' })
    expect(await statusesFor(MALFORMED)).toEqual(allWith(MALFORMED, 400))
    expect((await ask('a@b', {}, '/healthz')).status).toBe(400)
  })

  it('creates nothing for another host', async () => {
    service = await startService()
    const creation = { Host: 'evil.example', ...TUS, 'Upload-Length': 0 }
    const answer = await answerTo(requestHead('POST', '/files', creation))
    expect([answer.status, answer.headers.has('Location')]).toEqual([421, false])
  })
})

describe('The host of a request', () => {
  it('is that of an absolute target, whatever the Host header says', async () => {
    service = await startService()
    const at = (target: string, host: string): Promise<Answer> => answerTo(requestHead('GET', target, { Host: host }))
    expect((await at('http://evil.example/files/0123', 'localhost')).status).toBe(421)
    expect((await at('HTTP://localhost:9/files/0123', 'evil.example')).status).toBe(404)
    expect((await at('http://me@localhost/files/0123', 'localhost')).status).toBe(400)
    expect((await at('http:///files/0123', 'localhost')).status).toBe(400)
    expect((await at('http://evil.example/healthz', 'localhost')).status).toBe(200)
  })

  it.each([
    ['two Host lines', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n'],
    ['two in different case', 'GET / HTTP/1.1\r\nhost: localhost\r\nHOST: evil.example\r\n\r\n'],
    ['two in a health check', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['two of HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['none', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['none, with an absolute target', 'GET http://localhost/ HTTP/1.1\r\nAccept: */*\r\n\r\n'],
  ])('must occur once: %s receives 400, and the connection is closed', async (_, text) => {
    service = await startService()
    const answer = await answerTo(text)
    expect([answer.status, answer.headers.get('Connection')]).toEqual([400, 'close'])
    expect(answer.body).toMatch(/Host/)
  })

  it('may be absent in HTTP/1.0', async () => {
    service = await startService()
    expect((await answerTo('GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200)
    expect((await answerTo('GET /files/0123 HTTP/1.0\r\n\r\n')).status).toBe(404)
  })
})

describe('ALLOWED_HOSTS', () => {
  it('adds hosts with any port, but not their subdomains', async () => {
    service = await startService({ ALLOWED_HOSTS: 'Up.Example, other.example.' })
    const allowed = ['up.example', 'UP.example:8080', 'up.example.', 'other.example']
    expect(await statusesFor(allowed)).toEqual(allWith(allowed, 404))
    const refused = ['a.up.example', 'up.example.com', 'evil.example']
    expect(await statusesFor(refused)).toEqual(allWith(refused, 421))
  })

  it('allows all hosts with *', async () => {
    service = await startService({ ALLOWED_HOSTS: '*' })
    expect(await statusesFor(FOREIGN)).toEqual(allWith(FOREIGN, 404))
  })

  it('need not include the host of PUBLIC_URL', async () => {
    service = await startService({ PUBLIC_URL: 'https://up.example:8443/base' })
    expect(await statusesFor(['up.example', 'up.example:80'])).toEqual(allWith(['up.example', 'up.example:80'], 404))
    expect((await ask('evil.example')).status).toBe(421)
  })

  it('does not apply to health checks', async () => {
    service = await startService()
    for (const path of ['/healthz', '/readyz', '/healthz/']) {
      expect((await ask('pod.example', {}, path)).status).toBe(200)
    }
    expect((await ask('pod.example', {}, '/healthz/../files/0123')).status).toBe(421)
  })

  it.each([
    ['true', { 'X-Forwarded-For': '192.0.2.1' }, 404],
    ['true', { 'X-Forwarded-For': 'unknown, 192.0.2.1' }, 404],
    ['true', { 'X-Forwarded-For': '192.0.2.1, not-an-address' }, 421],
    ['true', { 'X-Forwarded-For': '' }, 421],
    ['true', { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'localhost' }, 421],
    ['true', { Forwarded: 'for=192.0.2.1' }, 421],
    ['true', {}, 421],
    ['forwarded', { Forwarded: 'for=192.0.2.1;proto=https' }, 404],
    ['forwarded', { Forwarded: 'for=192.0.2.1, proto=https' }, 421],
    ['forwarded', { 'X-Forwarded-For': '192.0.2.1' }, 421],
    ['false', { 'X-Forwarded-For': '192.0.2.1', Forwarded: 'for=192.0.2.1' }, 421],
  ])(
    'applies with TRUST_PROXY=%s unless the proxy names its client: %j receives %d',
    async (trust, headers, status) => {
      service = await startService({ TRUST_PROXY: trust })
      expect((await ask('up.example', headers)).status).toBe(status)
    },
  )
})
