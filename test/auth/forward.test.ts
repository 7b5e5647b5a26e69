import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { withClockAhead } from '../support/clock.ts'
import { startService, type TestService } from '../support/service.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

let service: TestService
let judge: StubServer
afterEach(async () => {
  await service.close()
  await judge.close()
})

type Headers = Readonly<Record<string, string>>

const begin = (headers: Headers = {}, length = 10): Promise<Response> =>
  fetch(`${service.url}/files`, { method: 'POST', headers: { ...TUS, 'Upload-Length': String(length), ...headers } })

const codeOf = async (response: Response): Promise<[number, string | null]> => [
  response.status,
  response.headers.get('Upload-Error'),
]

beforeEach(async () => {
  judge = await startStub((request, response) => {
    // The subject is what the client's credentials say.
    const subject = /^(?:Bearer |session=)(\w+)$/.exec(
      request.headers.authorization ?? request.headers.cookie ?? '',
    )?.[1]
    if (subject === undefined) response.writeHead(401).end('Who are you?')
    else response.writeHead(204, { 'Remote-User': subject }).end()
  })
  service = await startService({ AUTH: 'forward', AUTH_URL: `${judge.url}/verify?app=uploads` })
})

describe('With AUTH=forward, the service', () => {
  it('asks about a creation with the method, path, credentials, size, and metadata of the request', async () => {
    const metadata = `filename ${Buffer.from('日.txt').toString('base64')}`
    const response = await begin({ Authorization: 'Bearer alice', Cookie: 'a=b', 'Upload-Metadata': metadata }, 4711)
    expect(response.status).toBe(201)
    const [question] = judge.requests
    expect([question?.method, question?.url]).toEqual(['GET', '/verify?app=uploads'])
    expect(question?.headers).toMatchObject({
      accept: 'application/json',
      authorization: 'Bearer alice',
      cookie: 'a=b',
      'x-forwarded-method': 'POST',
      'x-forwarded-uri': '/files',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(service.url).host,
      'x-forwarded-for': '127.0.0.1',
      'x-landfall-action': 'create',
      'upload-length': '4711',
      'upload-metadata': metadata,
    })
  })

  it('asks about an id of any characters', async () => {
    const unknown = await fetch(`${service.url}/files/%E6%97%A5%00`, { headers: { Cookie: 'session=alice' } })
    expect(unknown.status).toBe(404)
    expect(judge.requests.at(-1)?.headers).toMatchObject({ 'x-landfall-upload': '%E6%97%A5%00' })
  })

  it('passes on no other header of the client', async () => {
    const forged = {
      'Remote-User': 'admin',
      'X-Auth-Subject': 'admin',
      'X-Forwarded-User': 'admin',
      'X-Forwarded-For': '10.0.0.1',
      'X-Forwarded-Uri': '/else',
      'X-Landfall-Claims': '{}',
      'X-Landfall-Action': 'read',
      'X-Custom': 'value',
    }
    expect((await begin({ Authorization: 'Bearer alice', ...forged })).status).toBe(201)
    const headers = judge.requests[0]?.headers ?? {}
    expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-uri': '/files' })
    expect(headers['x-landfall-action']).toBe('create')
    for (const name of ['remote-user', 'x-auth-subject', 'x-forwarded-user', 'x-landfall-claims', 'x-custom']) {
      expect(headers[name]).toBeUndefined()
    }
  })

  it('does not pass on the query, which may hold a token', async () => {
    await fetch(`${service.url}/files/unknown?token=secret`, { headers: { Authorization: 'Bearer alice' } })
    expect(judge.requests[0]?.headers['x-forwarded-uri']).toBe('/files/unknown')
  })

  it('keeps the uploads of subjects apart', async () => {
    const url = locationOf(await begin({ Authorization: 'Bearer alice' }), service.url)
    const headOf = async (headers: Headers): Promise<number> =>
      (await fetch(url, { method: 'HEAD', headers: { ...TUS, ...headers } })).status
    expect(await headOf({ Cookie: 'session=alice' })).toBe(200)
    expect(await headOf({ Cookie: 'session=bob' })).toBe(404)
  })

  it.each([
    [401, 401, 'unauthenticated'],
    [403, 403, 'forbidden'],
    [302, 503, 'auth_unavailable'],
    [404, 503, 'auth_unavailable'],
    [500, 503, 'auth_unavailable'],
  ])('answers a refusal with %i by %i', async (refusal, status, code) => {
    judge.answer((_, response) => response.writeHead(refusal, { Location: '/login', 'Remote-User': 'alice' }).end())
    expect(await codeOf(await begin({ Authorization: 'Bearer alice' }))).toEqual([status, code])
    expect(judge.requests).toHaveLength(1)
  })

  it('names the scheme where credentials are missing, and says where they are not valid', async () => {
    judge.answer((_, response) => response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="inside"' }).end())
    expect((await begin()).headers.get('WWW-Authenticate')).toBe('Bearer')
    const wrong = await begin({ Authorization: 'Bearer alice' })
    expect(wrong.headers.get('WWW-Authenticate')).toContain('error="invalid_token"')
  })

  it('answers 503 when the other service cannot be reached, breaks off, or names no subject', async () => {
    const expectUnavailable = async (): Promise<void> => {
      expect(await codeOf(await begin({ Authorization: 'Bearer alice' }))).toEqual([503, 'auth_unavailable'])
    }
    judge.answer((request) => request.socket.destroy())
    await expectUnavailable()
    judge.answer((_, response) => response.writeHead(200).end())
    await expectUnavailable()
    judge.answer((_, response) => response.writeHead(200, { 'Remote-User': '' }).end())
    await expectUnavailable()
    judge.answer((_, response) => response.writeHead(200, { 'Remote-User': 'alice', 'X-Landfall-Claims': '{' }).end())
    await expectUnavailable()
  })

  it('answers 503 when the other service does not answer in time, and 423 to a HEAD of tus', async () => {
    judge.answer(() => undefined)
    const head = fetch(`${service.url}/files/unknown`, { method: 'HEAD', headers: TUS })
    expect(await codeOf(await begin({ Authorization: 'Bearer alice' }))).toEqual([503, 'auth_unavailable'])
    expect(await codeOf(await head)).toEqual([423, 'auth_unavailable'])
  })

  it('is bound by the restrictions in the answer', async () => {
    const restrictions = JSON.stringify({ may: ['create'], max_size: 10 })
    judge.answer((_, response) =>
      response.writeHead(200, { 'Remote-User': 'a', 'X-Landfall-Claims': restrictions }).end(),
    )
    const created = await begin({}, 10)
    expect(created.status).toBe(201)
    expect((await begin({}, 11)).status).toBe(413)
    expect(await codeOf(await fetch(locationOf(created, service.url)))).toEqual([403, 'forbidden'])
  })

  it('reads the subject from the header that the settings name', async () => {
    await service.close()
    service = await startService({ AUTH: 'forward', AUTH_URL: judge.url, AUTH_SUBJECT_HEADER: 'X-Auth-Request-User' })
    judge.answer((_, response) => response.writeHead(202, { 'X-Auth-Request-User': 'alice' }).end())
    expect((await begin()).status).toBe(201)
  })
})

describe('A permission', () => {
  const alice = { Authorization: 'Bearer alice' }

  it('is remembered for the same credentials, action, and upload, for some seconds', async () => {
    const url = locationOf(await begin(alice), service.url)
    const other = locationOf(await begin(alice, 11), service.url)
    const asked = async (work: () => Promise<Response>): Promise<number> => {
      const before = judge.requests.length
      expect((await work()).status).toBeLessThan(300)
      return judge.requests.length - before
    }
    const headOf = (of: string, headers: Headers) => () =>
      fetch(of, { method: 'HEAD', headers: { ...TUS, ...headers } })
    expect(await asked(headOf(url, alice))).toBe(1)
    expect(await asked(headOf(url, alice))).toBe(0)
    expect(await asked(headOf(other, alice))).toBe(1)
    expect(await asked(headOf(url, { Cookie: 'session=alice' }))).toBe(1)
    const patch = () =>
      fetch(url, { method: 'PATCH', headers: { ...PATCH_HEADERS, ...alice, 'Upload-Offset': '0' }, body: bytesOf(1) })
    expect(await asked(patch)).toBe(1)
    await withClockAhead(6_000, async () => expect(await asked(headOf(url, alice))).toBe(1))
  })

  it('for a small upload is none for a large one', async () => {
    await begin(alice, 10)
    judge.answer((request, response) => {
      const allowed = Number(request.headers['upload-length']) <= 10
      response.writeHead(allowed ? 204 : 403, { 'Remote-User': 'alice' }).end()
    })
    expect((await begin(alice, 10)).status).toBe(201)
    expect((await begin(alice, 11)).status).toBe(403)
  })

  it('that is refused is asked for again', async () => {
    judge.answer((_, response) => response.writeHead(403).end())
    expect((await begin(alice)).status).toBe(403)
    judge.answer((_, response) => response.writeHead(204, { 'Remote-User': 'alice' }).end())
    expect((await begin(alice)).status).toBe(201)
  })

  it('is asked for once by concurrent requests', async () => {
    const release: (() => void)[] = []
    judge.answer((_, response) => {
      release.push(() => response.writeHead(204, { 'Remote-User': 'alice' }).end())
    })
    const same = Array.from({ length: 10 }, () => begin(alice, 1))
    await until(() => Promise.resolve(release.length > 0))
    // One more question would have arrived by the time that this request is answered.
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    for (const go of release) go()
    const statuses = (await Promise.all(same)).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map(() => 201))
    expect(judge.requests).toHaveLength(1)
  })

  it('belongs to an upload, which no other upload of the path can use', async () => {
    const url = locationOf(await begin(alice), service.url)
    await fetch(url, { method: 'HEAD', headers: { ...TUS, ...alice } })
    expect(judge.requests.at(-1)?.headers).toMatchObject({
      'x-landfall-upload': idOf(url),
      'x-landfall-action': 'write,read',
    })
  })
})

describe('Different questions', () => {
  const from = (address: string): Headers => ({ Authorization: 'Bearer alice', 'X-Forwarded-For': address })

  beforeEach(async () => {
    await service.close()
    service = await startService({ AUTH: 'forward', AUTH_URL: judge.url, TRUST_PROXY: 'true' })
  })

  it('are asked by at most 4 requests of a client address at a time, and by 32 of all', async () => {
    const release: (() => void)[] = []
    judge.answer((_, response) => {
      release.push(() => response.writeHead(204, { 'Remote-User': 'alice' }).end())
    })
    const addresses = Array.from({ length: 9 }, (_, i) => `192.0.2.${i}`)
    const all = addresses.flatMap((address) => Array.from({ length: 6 }, (_, i) => begin(from(address), 100 + i)))
    await until(() => Promise.resolve(release.length === 32))
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    expect(judge.requests).toHaveLength(32)
    const ofEach = addresses.map(
      (address) => judge.requests.filter(({ headers }) => headers['x-forwarded-for'] === address).length,
    )
    expect(Math.max(...ofEach)).toBe(4)
    const letGo = setInterval(() => {
      for (const go of release.splice(0)) go()
    }, 5)
    const statuses = (await Promise.all(all)).map(({ status }) => status)
    clearInterval(letGo)
    expect(statuses).toEqual(statuses.map(() => 201))
    expect(judge.requests).toHaveLength(54)
  })

  it('of one client are refused when 125 of them wait, and keep no other client waiting', async () => {
    judge.answer((request, response) => {
      // Questions of one client are never answered.
      if (request.headers['x-forwarded-for'] !== '192.0.2.1') response.writeHead(204, { 'Remote-User': 'bob' }).end()
    })
    const abort = new AbortController()
    let refused = 0
    const flood = Array.from({ length: 140 }, async (_, i) => {
      const headers = { ...TUS, ...from('192.0.2.1'), 'Upload-Length': String(i) }
      const response = await fetch(`${service.url}/files`, { method: 'POST', headers, signal: abort.signal })
      if (response.headers.get('Upload-Error') === 'auth_unavailable') refused += 1
    })
    await until(() => Promise.resolve(refused === 140 - 4 - 125))
    expect((await begin(from('198.51.100.1'))).status).toBe(201)
    expect(refused).toBe(11)
    abort.abort()
    await Promise.allSettled(flood)
  })
})
