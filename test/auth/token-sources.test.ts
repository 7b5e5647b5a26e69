import http from 'node:http'
import { afterEach, describe, expect, it } from '@jest/globals'
import Koa from 'koa'
import { JwtAuthenticator } from '../../server/auth/jwt.ts'
import { Owners } from '../../server/auth/owners.ts'
import { UploadError } from '../../server/core/errors.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { TUS } from '../support/tus.ts'

let service: TestService | undefined
afterEach(async () => {
  await service?.close()
  service = undefined
})

async function create(settings: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>>) {
  service = await startService({ AUTH: 'jwt', JWT_SECRET, ...settings })
  return fetch(`${service.url}/files`, { method: 'POST', headers: { ...TUS, 'Upload-Length': '10', ...headers } })
}

describe('A token', () => {
  it.each(['Bearer ', 'bearer ', 'BEARER   '])('is accepted after %j in Authorization', async (scheme) => {
    const response = await create({}, { Authorization: `${scheme}${await tokenFor('alice')}` })
    expect(response.status).toBe(201)
  })

  it('is accepted in the cookie that the settings name, and in no other', async () => {
    const Cookie = `other=1; session=${await tokenFor('alice')}; more=2`
    expect((await create({ AUTH_COOKIE: 'session' }, { Cookie })).status).toBe(201)
    await service?.close()
    expect((await create({}, { Cookie })).status).toBe(401)
  })

  it('in Authorization wins over one in the cookie', async () => {
    const Cookie = `session=${await tokenFor('bob', { landfall: { may: [] } })}`
    const headers = { Cookie, ...bearer(await tokenFor('alice')) }
    expect((await create({ AUTH_COOKIE: 'session' }, headers)).status).toBe(201)
  })

  it('in the query of a request is not accepted by tus', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token' })
    const url = `${service.url}/files?token=${await tokenFor('alice')}`
    const response = await fetch(url, { method: 'POST', headers: { ...TUS, 'Upload-Length': '10' } })
    expect(response.status).toBe(401)
  })
})

/** A server that answers with the owner of a request whose field is in the query, as pages send it. */
async function withFields<T>(
  work: (ask: (query: string, headers?: HeadersInit) => Promise<string>) => Promise<T>,
): Promise<T> {
  const authenticator = new JwtAuthenticator({
    application: { secret: JWT_SECRET },
    algorithms: [],
    issuer: '',
    audience: '',
    uploadTokenKey: Buffer.alloc(32),
    cookie: 'session',
    owners: new Owners({ owner: Buffer.alloc(32) }, '', 'none'),
  })
  const app = new Koa()
  app.use(async (ctx) => {
    const { token } = ctx.query
    const request = { actions: ['write'], id: undefined, token: typeof token === 'string' ? token : undefined } as const
    try {
      ctx.body = (await authenticator.authenticate(ctx, request)).owner
    } catch (error) {
      ctx.body = error instanceof UploadError ? error.code : 'other'
    }
  })
  const server = http.createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  try {
    return await work(async (query, headers = {}) =>
      (await fetch(`http://127.0.0.1:${port}/?${query}`, { headers })).text(),
    )
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

describe('A token in a field', () => {
  it('counts like one in Authorization, and wins over one in the cookie', async () => {
    const alice = await tokenFor('alice')
    const bob = await tokenFor('bob')
    await withFields(async (ask) => {
      const owner = await ask('', bearer(alice))
      expect(owner).toMatch(/^[0-9a-f]{32}$/)
      expect(await ask(`token=${alice}`)).toBe(owner)
      expect(await ask(`token=${alice}`, { Cookie: `session=${bob}` })).toBe(owner)
      expect(await ask('', { Cookie: `session=${alice}` })).toBe(owner)
      expect(await ask('')).toBe('unauthenticated')
    })
  })

  it('is refused if it differs from the one in Authorization', async () => {
    const alice = await tokenFor('alice')
    const bob = await tokenFor('bob')
    await withFields(async (ask) => {
      expect(await ask(`token=${alice}`, bearer(alice))).toMatch(/^[0-9a-f]{32}$/)
      expect(await ask(`token=${bob}`, bearer(alice))).toBe('bad_request')
    })
  })
})
