import { createHmac, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { withClockAhead } from '../support/clock.ts'
import { startService, type TestService } from '../support/service.ts'
import { startStub } from '../support/stub-server.ts'
import { bearer, type Claims, inSeconds, JWT_SECRET, signWith, tokenFor } from '../support/tokens.ts'
import { idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

let service: TestService
afterEach(() => service.close())

const begin = (headers: Readonly<Record<string, string>>, length = 10): Promise<Response> =>
  fetch(`${service.url}/files`, { method: 'POST', headers: { ...TUS, 'Upload-Length': String(length), ...headers } })

const send = (url: string, headers: Readonly<Record<string, string>>, body = bytesOf(10)): Promise<Response> =>
  fetch(url, { method: 'PATCH', headers: { ...PATCH_HEADERS, 'Upload-Offset': '0', ...headers }, body })

/** Expects a refusal that tells the client to renew its token. */
async function expectInvalid(token: string): Promise<void> {
  const response = await begin(bearer(token))
  expect(response.status).toBe(401)
  expect(response.headers.get('Upload-Error')).toBe('unauthenticated')
  expect(response.headers.get('WWW-Authenticate')).toMatch(/^Bearer error="invalid_token", error_description="[^"]+"$/)
  expect(await response.text()).toMatch(/^[A-Z].*\.\n$/)
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('With AUTH=jwt and a secret, the service', () => {
  beforeEach(async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET })
  })

  it('lets the subject of a token create, send, read, and delete its upload', async () => {
    const alice = bearer(await tokenFor('alice'))
    const created = await begin(alice)
    expect(created.status).toBe(201)
    const url = locationOf(created, service.url)
    expect((await send(url, alice)).status).toBe(204)
    // The second token of the subject is another text.
    const again = bearer(await tokenFor('alice', { exp: inSeconds(900) }))
    expect((await fetch(url, { headers: again })).status).toBe(200)
    expect((await fetch(url, { method: 'DELETE', headers: { ...TUS, ...again } })).status).toBe(204)
  })

  it('hides an upload from another subject, and from the same subject of another issuer', async () => {
    const url = locationOf(await begin(bearer(await tokenFor('alice'))), service.url)
    for (const other of [await tokenFor('bob'), await tokenFor('alice', { iss: 'https://other.example' })]) {
      expect((await fetch(url, { method: 'HEAD', headers: { ...TUS, ...bearer(other) } })).status).toBe(404)
      expect((await send(url, bearer(other))).status).toBe(404)
    }
  })

  it('asks for a token where there is none, and lets pages of other origins see that', async () => {
    const response = await begin({})
    expect(response.status).toBe(401)
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer')
    const basic = await begin({ Authorization: 'Basic YTpi' })
    expect(basic.headers.get('WWW-Authenticate')).toBe('Bearer')
    await service.close()
    service = await startService({ AUTH: 'jwt', JWT_SECRET, ALLOWED_ORIGINS: 'https://pages.example' })
    const answer = await begin({ Origin: 'https://pages.example' })
    expect(answer.headers.get('Access-Control-Expose-Headers')?.split(', ')).toContain('WWW-Authenticate')
  })

  it.each<[string, string | undefined, Claims]>([
    ['has expired', 'alice', { exp: inSeconds(-60) }],
    ['never expires', 'alice', { exp: undefined }],
    ['is not valid yet', 'alice', { nbf: inSeconds(60) }],
    ['has no subject', undefined, {}],
    ['has an empty subject', '', {}],
    ['allows an unknown action', 'alice', { landfall: { may: ['create', 'everything'] } }],
    ['has a misspelt restriction', 'alice', { landfall: { maxsize: 5 } }],
    ['has restrictions of another type', 'alice', { landfall: ['create'] }],
    ['has a size that is no number', 'alice', { landfall: { max_size: '5' } }],
    ['allows no type', 'alice', { landfall: { types: [] } }],
    ['has a relative path', 'alice', { landfall: { path: 'files' } }],
  ])('refuses a token that %s', async (_, sub, claims) => {
    await expectInvalid(await tokenFor(sub, claims))
  })

  it('says of an expired token that it has expired', async () => {
    const response = await begin(bearer(await tokenFor('alice', { exp: inSeconds(-60) })))
    expect(await response.text()).toBe('The token has expired.\n')
  })

  it('refuses a token without signature, by another secret, by another algorithm, or changed after signing', async () => {
    const claims = { sub: 'alice', exp: inSeconds(300) }
    const good = await tokenFor('alice')
    const [header = '', , signature = ''] = good.split('.')
    await expectInvalid(`${encoded({ alg: 'none' })}.${encoded(claims)}.`)
    await expectInvalid(`${encoded({ alg: 'none' })}.${encoded(claims)}.${signature}`)
    await expectInvalid(`${header}.${encoded({ ...claims, sub: 'bob' })}.${signature}`)
    await expectInvalid(
      await signWith(createSecretKey('another secret of at least 32 bytes', 'utf8'), { alg: 'HS256' }, claims),
    )
    const longer = `${encoded({ alg: 'HS512' })}.${encoded(claims)}`
    await expectInvalid(`${longer}.${createHmac('sha512', JWT_SECRET).update(longer).digest('base64url')}`)
    await expectInvalid('nonsense')
    await expectInvalid('a.b.c')
    await expectInvalid(await tokenFor('alice', { name: 'a'.repeat(9_000) }))
  })

  it('fetches no key from a place that a token names', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const foreign = await startStub((_, response) =>
      response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] })),
    )
    const claims = { sub: 'alice', exp: inSeconds(300) }
    await expectInvalid(await signWith(privateKey, { alg: 'EdDSA', kid: 'k', jku: foreign.url }, claims))
    expect(foreign.requests).toHaveLength(0)
    await foreign.close()
  })

  it('accepts a token that it has verified no longer than until its end', async () => {
    const token = await tokenFor('alice', { exp: inSeconds(-3) })
    // Within the tolerated difference of clocks.
    expect((await begin(bearer(token))).status).toBe(201)
    await withClockAhead(10_000, () => expectInvalid(token))
  })

  it('lets a token do only what it allows', async () => {
    const writer = bearer(await tokenFor('alice', { landfall: { may: ['create', 'write'] } }))
    const url = locationOf(await begin(writer), service.url)
    expect((await send(url, writer)).status).toBe(204)
    for (const [method, headers] of [
      ['GET', {}],
      ['DELETE', TUS],
    ] as const) {
      const response = await fetch(url, { method, headers: { ...headers, ...writer } })
      expect([response.status, response.headers.get('Upload-Error')]).toEqual([403, 'forbidden'])
    }
    const reader = bearer(await tokenFor('alice', { landfall: { may: ['read'] } }))
    expect((await fetch(url, { headers: reader })).status).toBe(200)
    expect((await begin(reader)).status).toBe(403)
    expect((await begin(bearer(await tokenFor('alice', { landfall: { may: [] } })))).status).toBe(403)
  })

  it('lets a token upload only files up to its size', async () => {
    const small = bearer(await tokenFor('alice', { landfall: { max_size: 10 } }))
    expect((await begin(small, 10)).status).toBe(201)
    expect((await begin(small, 11)).status).toBe(413)
  })

  it('lets no token exceed its size by parts of unknown length', async () => {
    const small = bearer(await tokenFor('alice', { landfall: { max_size: 10 } }))
    const post = (headers: Readonly<Record<string, string>>): Promise<Response> =>
      fetch(`${service.url}/files`, { method: 'POST', headers: { ...TUS, ...headers } })
    const part = { 'Upload-Defer-Length': '1', 'Upload-Concat': 'partial', ...small }
    const parts = [await post(part), await post(part)].map((response) => locationOf(response, service.url))
    const final = { 'Upload-Concat': `final;${parts.map((url) => new URL(url).pathname).join(' ')}` }
    const refused = await post({ ...final, ...small })
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([413, 'too_large'])
    expect((await post({ ...final, ...bearer(await tokenFor('alice')) })).status).toBe(201)
  })

  it('holds an upload of unknown length to the quota of its token after a restart', async () => {
    const alice = bearer(await tokenFor('alice', { landfall: { quota: 3_000_000 } }))
    const created = await fetch(`${service.url}/files`, {
      method: 'POST',
      headers: { ...TUS, 'Upload-Defer-Length': '1', ...alice },
    })
    const path = new URL(locationOf(created, service.url)).pathname
    expect((await send(`${service.url}${path}`, alice, bytesOf(1_000_000))).status).toBe(204)
    service = await service.restart()
    const behind = { 'Upload-Offset': '1000000', ...alice }
    const refused = await send(`${service.url}${path}`, behind, bytesOf(3_000_000))
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([413, 'quota_exceeded'])
  })

  it('accepts a token only below its path', async () => {
    const url = locationOf(await begin(bearer(await tokenFor('alice'))), service.url)
    const one = bearer(await tokenFor('alice', { landfall: { path: `/files/${idOf(url)}` } }))
    expect((await send(url, one)).status).toBe(204)
    expect((await fetch(`${url}/digest?start=0&end=10`, { headers: one })).status).toBe(200)
    expect((await begin(one)).status).toBe(403)
    expect((await fetch(`${url}0`, { headers: one })).status).toBe(403)
    const session: { signedIn: boolean } = JSON.parse(
      await (await fetch(`${service.url}/session`, { headers: one })).text(),
    )
    expect(session.signedIn).toBe(true)
  })

  it('refuses a token that only looks like one of its own', async () => {
    const claims = { iss: 'landfall', sub: 'alice', exp: inSeconds(300) }
    const header = { alg: 'HS256', typ: 'landfall-upload+jwt' }
    await expectInvalid(await signWith(createSecretKey(JWT_SECRET, 'utf8'), header, claims))
    const body = `${encoded(header)}.${encoded(claims)}`
    await expectInvalid(`${body}.${createHmac('sha256', '').update(body).digest('base64url')}`)
  })
})

describe('Audience and issuer', () => {
  const settings = { AUTH: 'jwt', JWT_SECRET, JWT_AUDIENCE: 'uploads', JWT_ISSUER: 'https://login.example' }
  const right = { aud: 'uploads', iss: 'https://login.example' }
  beforeEach(async () => {
    service = await startService(settings)
  })

  it('are checked when they are set', async () => {
    expect((await begin(bearer(await tokenFor('alice', right)))).status).toBe(201)
    expect((await begin(bearer(await tokenFor('alice', { ...right, aud: ['mail', 'uploads'] })))).status).toBe(201)
    await expectInvalid(await tokenFor('alice', { ...right, aud: 'mail' }))
    await expectInvalid(await tokenFor('alice', { ...right, aud: undefined }))
    await expectInvalid(await tokenFor('alice', { ...right, iss: 'https://evil.example' }))
    await expectInvalid(await tokenFor('alice', { ...right, iss: undefined }))
  })
})

describe('An upload that was begun without authentication', () => {
  it.each([
    ['none', 404, 404],
    ['everyone', 200, 200],
    ['sub:alice', 200, 404],
  ])('belongs to %s after AUTH was set', async (owner, alice, bob) => {
    service = await startService()
    const url = locationOf(await begin({}), service.url)
    await send(url, {})
    service = await service.restart({ AUTH: 'jwt', JWT_SECRET, JWT_ISSUER: 'login', UNOWNED_UPLOADS: owner })
    const statusFor = async (sub: string): Promise<number> => {
      const headers = bearer(await tokenFor(sub, { iss: 'login' }))
      return (await fetch(`${service.url}/files/${idOf(url)}`, { headers })).status
    }
    expect([await statusFor('alice'), await statusFor('bob')]).toEqual([alice, bob])
  })
})
