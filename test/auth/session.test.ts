import { afterEach, describe, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { startStub } from '../support/stub-server.ts'
import { bearer, inSeconds, JWT_SECRET, tokenFor } from '../support/tokens.ts'

let service: TestService
afterEach(() => service.close())

async function session(headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const response = await fetch(`${service.url}/session`, { headers })
  expect(response.status).toBe(200)
  expect(response.headers.get('Cache-Control')).toBe('no-store')
  expect(response.headers.get('WWW-Authenticate')).toBeNull()
  return JSON.parse(await response.text())
}

const EVERYTHING = ['create', 'write', 'read', 'delete', 'ask']

describe('GET /session', () => {
  it('says that every client may do everything without authentication', async () => {
    service = await startService()
    const defaults = { limits: { used: 0, maxMetadata: 8192 }, downloads: 'on', termination: 'on' }
    expect(await session()).toEqual({ auth: 'none', signedIn: false, may: EVERYTHING, ...defaults })
  })

  it('says what the settings allow', async () => {
    service = await startService({ MAX_SIZE: '1000', DOWNLOADS: 'signed', TERMINATION: 'off', AUTH_FIELD: 'token' })
    expect(await session()).toEqual({
      auth: 'none',
      signedIn: false,
      may: ['create', 'write', 'read', 'ask'],
      field: 'token',
      limits: { maxSize: 1000, used: 0, maxMetadata: 8192 },
      downloads: 'signed',
      termination: 'off',
    })
  })

  it('says what a token allows, and nothing without a valid one', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET, MAX_SIZE: '1000' })
    const landfall = { may: ['create'], max_size: 500, types: ['image/*'], quota: 5_000, path: '/files' }
    expect(await session(bearer(await tokenFor('alice', { landfall })))).toEqual({
      auth: 'jwt',
      signedIn: true,
      owner: expect.stringMatching(/^[0-9a-f]{32}$/),
      may: ['create'],
      limits: { maxSize: 500, types: ['image/*'], quota: 5_000, used: 0, maxMetadata: 8192 },
      downloads: 'on',
      termination: 'on',
    })
    const nothing = { auth: 'jwt', signedIn: false, may: [], limits: { maxSize: 1000, maxMetadata: 8192 } }
    expect(await session()).toMatchObject(nothing)
    expect(await session(bearer(await tokenFor('alice', { exp: inSeconds(-60) })))).toMatchObject(nothing)
  })

  it('asks the other service, and says 503 when that does not answer', async () => {
    const judge = await startStub((request, response) => {
      if (request.headers.cookie === 'session=alice') response.writeHead(200, { 'Remote-User': 'alice' }).end()
      else response.writeHead(request.headers.cookie === undefined ? 401 : 500).end()
    })
    service = await startService({ AUTH: 'forward', AUTH_URL: judge.url })
    expect(await session({ Cookie: 'session=alice' })).toMatchObject({
      auth: 'forward',
      signedIn: true,
      may: EVERYTHING,
    })
    expect(await session()).toMatchObject({ signedIn: false, may: [] })
    expect((await fetch(`${service.url}/session`, { headers: { Cookie: 'other=1' } })).status).toBe(503)
    await judge.close()
  })
})
