import { createSecretKey, generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { withClockAhead } from '../support/clock.ts'
import { startService, type TestService } from '../support/service.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { bearer, inSeconds, signWith } from '../support/tokens.ts'
import { TUS } from '../support/tus.ts'

let service: TestService
let keys: StubServer
afterEach(async () => {
  await service.close()
  await keys.close()
})

const claims = (sub = 'alice') => ({ sub, exp: inSeconds(300) })

const statusOf = async (token: string): Promise<[status: number, code: string | null]> => {
  const headers = { ...TUS, 'Upload-Length': '10', ...bearer(token) }
  const response = await fetch(`${service.url}/files`, { method: 'POST', headers })
  return [response.status, response.headers.get('Upload-Error')]
}

const first = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const second = generateKeyPairSync('ed25519')
const third = generateKeyPairSync('rsa', { modulusLength: 2048 })

const setOf = (pairs: Readonly<Record<string, KeyPairKeyObjectResult>>): string =>
  JSON.stringify({
    keys: Object.entries(pairs).map(([kid, pair]) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid })),
  })

beforeEach(async () => {
  keys = await startStub((_, response) => response.end(setOf({ first, second, third })))
  service = await startService({ AUTH: 'jwt', JWKS_URL: `${keys.url}/keys` })
})

describe('With AUTH=jwt and public keys, the service', () => {
  it('accepts tokens by each key, and fetches the keys once', async () => {
    expect(await statusOf(await signWith(first.privateKey, { alg: 'ES256', kid: 'first' }, claims()))).toEqual([
      201,
      null,
    ])
    expect(await statusOf(await signWith(second.privateKey, { alg: 'EdDSA', kid: 'second' }, claims()))).toEqual([
      201,
      null,
    ])
    expect(await statusOf(await signWith(third.privateKey, { alg: 'RS256', kid: 'third' }, claims()))).toEqual([
      201,
      null,
    ])
    expect(keys.requests).toHaveLength(1)
  })

  it('refuses a public key that is used as a secret, and algorithms that the settings do not name', async () => {
    const pem = Buffer.from(third.publicKey.export({ format: 'pem', type: 'spki' }))
    const der = third.publicKey.export({ format: 'der', type: 'spki' })
    for (const secret of [createSecretKey(pem), createSecretKey(der)]) {
      const token = await signWith(secret, { alg: 'HS256', kid: 'third' }, claims())
      expect(await statusOf(token)).toEqual([401, 'unauthenticated'])
    }
    const other = await signWith(third.privateKey, { alg: 'PS256', kid: 'third' }, claims())
    expect(await statusOf(other)).toEqual([401, 'unauthenticated'])
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}.`
    expect(await statusOf(none)).toEqual([401, 'unauthenticated'])
  })

  it('tries the keys of a set for a token that names none', async () => {
    const another = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    keys.answer((_, response) => response.end(setOf({ first, another })))
    expect(await statusOf(await signWith(another.privateKey, { alg: 'ES256' }, claims()))).toEqual([201, null])
    const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const token = await signWith(foreign.privateKey, { alg: 'ES256' }, claims())
    expect(await statusOf(token)).toEqual([401, 'unauthenticated'])
  })

  it('follows a rotation: a new key counts soon, a withdrawn one no longer', async () => {
    const old = await signWith(first.privateKey, { alg: 'ES256', kid: 'first' }, { ...claims(), exp: inSeconds(9_000) })
    expect((await statusOf(old))[0]).toBe(201)
    const fresh = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    keys.answer((_, response) => response.end(setOf({ fresh })))
    const token = await signWith(fresh.privateKey, { alg: 'ES256', kid: 'fresh' }, claims())
    await withClockAhead(11_000, async () => expect((await statusOf(token))[0]).toBe(201))
    await withClockAhead(11 * 60_000, async () => expect((await statusOf(old))[0]).toBe(401))
  })

  it('fetches the keys once for many tokens with unknown keys', async () => {
    for (let i = 0; i < 20; i++) {
      const token = await signWith(first.privateKey, { alg: 'ES256', kid: `unknown-${i}` }, claims())
      expect(await statusOf(token)).toEqual([401, 'unauthenticated'])
    }
    expect(keys.requests).toHaveLength(1)
  })

  it('answers 503 while the keys cannot be fetched, without asking for each token, and recovers', async () => {
    const token = await signWith(first.privateKey, { alg: 'ES256', kid: 'first' }, claims())
    keys.answer((request) => request.socket.destroy())
    for (let i = 0; i < 5; i++) expect(await statusOf(token)).toEqual([503, 'auth_unavailable'])
    expect(keys.requests).toHaveLength(1)
    keys.answer((_, response) => response.end(setOf({ first })))
    await withClockAhead(11_000, async () => expect(await statusOf(token)).toEqual([201, null]))
  })

  it.each<[string, (service: StubServer) => void]>([
    ['an error', (stub) => stub.answer((_, response) => response.writeHead(500).end())],
    [
      'a redirect',
      (stub) => stub.answer((_, response) => response.writeHead(302, { Location: `${stub.url}/else` }).end()),
    ],
    ['no JSON', (stub) => stub.answer((_, response) => response.end('<html>'))],
    ['another document', (stub) => stub.answer((_, response) => response.end('{"error":"none"}'))],
    [
      'too many keys',
      (stub) =>
        stub.answer((_, response) => {
          const many = Array.from({ length: 101 }, (__, i) => [`${i}`, second] as const)
          response.end(setOf({ ...Object.fromEntries(many), first }))
        }),
    ],
  ])('answers 503 when %s is sent in place of the keys', async (_, prepare) => {
    prepare(keys)
    const token = await signWith(first.privateKey, { alg: 'ES256', kid: 'first' }, claims())
    expect(await statusOf(token)).toEqual([503, 'auth_unavailable'])
    expect(keys.requests).toHaveLength(1)
  })

  it('stops reading a key set without end', async () => {
    let sent = 0
    keys.answer((_, response) => {
      const more = (): void => {
        if (response.destroyed) return
        sent += 64 * 1024
        response.write(' '.repeat(64 * 1024), more)
      }
      more()
    })
    const token = await signWith(first.privateKey, { alg: 'ES256', kid: 'first' }, claims())
    expect(await statusOf(token)).toEqual([503, 'auth_unavailable'])
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })
})
