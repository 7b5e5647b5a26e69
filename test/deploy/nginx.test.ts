import http from 'node:http'
import https from 'node:https'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Nginx, startNginx } from '../support/nginx.ts'
import { startService, type TestService } from '../support/service.ts'
import { create, createUpload, head, idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { type Answer, connect, requestHead, until } from '../support/wire.ts'

let service: TestService
let nginx: Nginx
beforeAll(async () => {
  service = await startService({ SYNC: 'never', TRUST_PROXY: 'true' })
  nginx = await startNginx(service.url)
})
afterAll(async () => {
  await nginx.close()
  await service.close()
})

interface SecureAnswer {
  readonly status: number | undefined
  readonly headers: http.IncomingHttpHeaders
}

/** A request through TLS, whose handshake names `localhost`. */
function secureRequest(path: string, options: https.RequestOptions = {}, base = nginx): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const url = new URL(base.secureUrl)
    const request = https.request(
      { host: '127.0.0.1', port: url.port, path, servername: 'localhost', ca: base.certificate, ...options },
      (response) => {
        response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }))
      },
    )
    request.setHeader('Host', url.host)
    for (const [name, value] of Object.entries(options.headers ?? {})) request.setHeader(name, String(value))
    request.on('error', reject).end()
  })
}

async function plainRequest(host: string): Promise<{ status: number; location: string | null }> {
  const wire = await connect(nginx.plainUrl.replace('localhost', '127.0.0.1'))
  await wire.send(requestHead('GET', '/legacy?a=b', { Host: host }))
  const { status, headers } = await wire.answer()
  await wire.cut()
  return { status, location: headers.get('Location') }
}

describe('nginx, as deployed,', () => {
  it('redirects plain HTTP to the public name only, whatever the Host header names', async () => {
    expect(await plainRequest('localhost')).toEqual({ status: 308, location: 'https://localhost/legacy?a=b' })
    expect(await plainRequest('127.0.0.1')).toEqual({ status: 308, location: 'https://localhost/legacy?a=b' })
    expect(await plainRequest('evil.example')).toEqual({ status: 421, location: null })
  })

  it('serves no page for another host, and completes no handshake for another name', async () => {
    expect(await secureRequest('/healthz')).toMatchObject({ status: 200 })
    expect(await secureRequest('/healthz', { headers: { Host: 'evil.example' } })).toMatchObject({ status: 421 })
    await expect(secureRequest('/healthz', { servername: 'evil.example' })).rejects.toThrow(/unrecognized name/i)
  })

  it('tells browsers to use TLS, in every response', async () => {
    const hsts = { 'strict-transport-security': 'max-age=63072000' }
    expect(await secureRequest('/healthz')).toMatchObject({ status: 200, headers: hsts })
    expect(await secureRequest('/nowhere')).toMatchObject({ status: 404, headers: hsts })
    const alone = await startNginx('http://127.0.0.1:9')
    try {
      expect(await secureRequest('/files/any', {}, alone)).toMatchObject({ status: 503, headers: hsts })
      expect(await secureRequest('/files/any', { method: 'HEAD' }, alone)).toMatchObject({ status: 423, headers: hsts })
    } finally {
      await alone.close()
    }
  })

  it.each(['TLSv1', 'TLSv1.1'] as const)('refuses %s', async (version) => {
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port: Number(new URL(nginx.secureUrl).port), servername: 'localhost' },
      ...{ ca: nginx.certificate, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' },
    })
    const failed = new Promise<Error>((resolve, reject) => {
      socket.once('error', resolve).once('secureConnect', () => reject(new Error('The handshake succeeded.')))
    })
    // The alert of the server, not an error of this client.
    expect(await failed).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
    socket.destroy()
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('accepts %s', async (version) => {
    expect(await secureRequest('/healthz', { minVersion: version, maxVersion: version })).toMatchObject({ status: 200 })
  })
})

describe('Headers that a client forges', () => {
  it('change neither the URL of an upload nor its prefix', async () => {
    const forged = { 'X-Forwarded-Prefix': '/evil', 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' }
    const response = await create(nginx.url, { 'Upload-Length': '5', ...forged })
    expect(response.status).toBe(201)
    expect(response.headers.get('Location')).toMatch(/^(http:\/\/127\.0\.0\.1:\d+)?\/files\/[0-9a-f]+$/)
    expect((await head(locationOf(response, nginx.url))).status).toBe(200)
  })

  it('do not reach the service', async () => {
    const heads: http.IncomingHttpHeaders[] = []
    const upstream = http.createServer((request, response) => {
      heads.push(request.headers)
      response.end()
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const address = upstream.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const recorded = await startNginx(`http://127.0.0.1:${port}`)
    try {
      const secure = new URL(recorded.secureUrl)
      const wire = await connect(recorded.url)
      // The host of an absolute target overrides the Host header.
      await wire.send(
        requestHead('GET', `http://localhost/`, {
          ...{ Host: `evil.example:${secure.port}`, Cookie: 'kept=1', Authorization: 'Bearer kept' },
          ...Object.fromEntries(FORGED.map((name) => [name, 'forged'])),
        }),
      )
      await wire.answer()
      await wire.cut()
    } finally {
      await recorded.close()
      await new Promise((resolve) => upstream.close(resolve))
    }
    const [received = {}] = heads
    expect(JSON.stringify(received)).not.toContain('forged')
    expect(received).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' })
    expect([received.host, received['x-forwarded-host']].join()).toMatch(/^localhost:\d+,localhost:\d+$/)
    expect(received).toMatchObject({ cookie: 'kept=1', authorization: 'Bearer kept' })
  })

  const FORGED = [
    ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Prefix', 'X-Forwarded-Port'],
    ...['X-Forwarded-Server', 'X-Forwarded-Uri', 'X-Forwarded-Method', 'X-Original-URL', 'X-Original-Method'],
    ...['X-Real-IP', 'Forwarded', 'Remote-User', 'Remote-Groups', 'Remote-Name', 'Remote-Email', 'X-Remote-User'],
    ...['X-Remote-Group', 'X-Forwarded-User', 'X-Forwarded-Groups', 'X-Forwarded-Email', 'X-Auth-User'],
    ...['X-Forwarded-Preferred-Username', 'X-Forwarded-Access-Token', 'X-Auth-Request-User', 'X-Auth-Request-Groups'],
    ...['X-Auth-Request-Email', 'X-Auth-Request-Preferred-Username', 'X-Auth-Request-Access-Token'],
  ]
})

describe('The logs of nginx', () => {
  it('have only the beginning of an id, and neither queries nor referrers', async () => {
    const id = idOf(await createUpload(nginx.url, 5))
    await head(`${nginx.url}/files/${id}`)
    await fetch(`${nginx.url}/files/${id}/link?token=secret-1`, { method: 'POST' })
    await fetch(`${nginx.url}//files//${id}?exp=1&sig=secret-2`)
    await fetch(`${nginx.url}/%66iles/${id}`)
    await fetch(`${nginx.url}/upload/complete?task_id=secret-3`, { headers: { Referer: `/files/${id}?secret-4` } })
    // nginx logs a request after its response.
    await until(async () => (await nginx.log()).includes('/upload/complete'))
    const log = await nginx.log()
    expect(log).toMatch(new RegExp(`"HEAD /files/${id.slice(0, 6)}\\.\\.\\. HTTP/1.1" 200 `))
    expect(log).toMatch(/"GET \/upload\/complete HTTP\/1.1" \d+ /)
    expect(log).not.toContain(id.slice(0, 7))
    expect(log).not.toContain('secret')
  })

  it('do not have them when the service is down either', async () => {
    const alone = await startNginx('http://127.0.0.1:9')
    try {
      const response = await fetch(`${alone.url}/files/0123456789abcdef?task_id=secret`, { headers: TUS })
      expect(response.status).toBe(503)
      await until(async () => (await alone.log()).includes('503'))
      expect(await alone.log()).toContain('"GET /files/012345... HTTP/1.1" 503 ')
      expect(await alone.log()).not.toMatch(/secret|0123456/)
    } finally {
      await alone.close()
    }
  })
})

describe('The limits of nginx', () => {
  it('delay many requests of one address, but refuse none', async () => {
    const statuses = new Map<number, number>()
    const sendAll = async (): Promise<void> => {
      for (let i = 0; i < 25; i++) {
        const { status } = await fetch(`${nginx.url}/healthz`)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: 40 }, sendAll))
    expect([...statuses]).toEqual([[200, 1_000]])
  })

  it('let one address send 256 requests at once, and ask it to repeat further ones later', async () => {
    const url = await createUpload(nginx.url, 5)
    const wires = await Promise.all(Array.from({ length: 270 }, () => connect(nginx.url)))
    try {
      const refused: Answer[] = []
      for (const wire of wires) {
        // Those that are served wait for the rest of their bodies.
        await wire.send(
          requestHead('POST', '/files', { ...PATCH_HEADERS, 'Upload-Length': 10, 'Content-Length': 10 }),
          'a',
        )
        wire.answer().then(
          (answer) => refused.push(answer),
          () => undefined,
        )
      }
      await until(async () => refused.length >= 270 - 256)
      for (const { status, headers } of refused) expect([status, headers.get('Retry-After')]).toEqual([503, '5'])
      // Any other status makes tus-js-client start again.
      expect((await head(url)).status).toBe(423)
    } finally {
      await Promise.all(wires.map((wire) => wire.cut()))
    }
    await until(async () => (await head(url)).status === 200)
  })
})
