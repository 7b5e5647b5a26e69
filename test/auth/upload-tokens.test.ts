import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { decodeJwt } from 'jose'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { withClockAhead } from '../support/clock.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

const TOKEN_KEY = 'the-key-of-the-application-32+-bytes'
const SECRET = 'a secret of the service, 32+ bytes'
const MAIN = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url))

const answer = z.object({ token: z.string(), expires: z.number() })

let service: TestService
beforeEach(async () => {
  service = await startService({ AUTH: 'jwt', TOKEN_KEY, JWT_SECRET, JWT_ISSUER: 'login', SECRET })
})
afterEach(() => service.close())

const ask = (body: unknown, key: string = TOKEN_KEY): Promise<Response> =>
  fetch(`${service.url}/tokens`, { method: 'POST', headers: bearer(key), body: JSON.stringify(body) })

async function create(body: Readonly<Record<string, unknown>>): Promise<string> {
  const response = await ask({ sub: 'alice', expires_in: 60, ...body })
  const text = await response.text()
  expect([response.status, text]).toEqual([201, expect.any(String)])
  expect(response.headers.get('Cache-Control')).toBe('no-store')
  return answer.parse(JSON.parse(text)).token
}

const begin = (token: string, length = 10): Promise<Response> =>
  fetch(`${service.url}/files`, {
    method: 'POST',
    headers: { ...TUS, 'Upload-Length': String(length), ...bearer(token) },
  })

/** `landfall token create`. @returns what it prints. */
async function command(...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', SECRET }
  return (await promisify(execFile)(process.execPath, [MAIN, 'token', 'create', ...args], { env })).stdout.trim()
}

describe('POST /tokens', () => {
  it('creates a token with which its subject uploads, but neither reads nor deletes', async () => {
    const token = await create({})
    const url = locationOf(await begin(token), service.url)
    const patched = await fetch(url, {
      method: 'PATCH',
      headers: { ...PATCH_HEADERS, 'Upload-Offset': '0', ...bearer(token) },
      body: bytesOf(10),
    })
    expect(patched.status).toBe(204)
    expect((await fetch(url, { headers: bearer(token) })).status).toBe(403)
    expect((await fetch(url, { method: 'DELETE', headers: { ...TUS, ...bearer(token) } })).status).toBe(403)
    // The application names the same person in its own tokens.
    expect((await fetch(url, { headers: bearer(await tokenFor('alice', { iss: 'login' })) })).status).toBe(200)
    expect((await fetch(url, { headers: bearer(await tokenFor('bob', { iss: 'login' })) })).status).toBe(404)
  })

  it('limits size, path, and actions', async () => {
    expect((await begin(await create({ max_size: 5 }), 6)).status).toBe(413)
    expect((await begin(await create({ path: '/upload' }))).status).toBe(403)
    expect((await begin(await create({ may: ['read'] }))).status).toBe(403)
  })

  it('creates a token that expires', async () => {
    const token = await create({ expires_in: 30 })
    expect((await begin(token)).status).toBe(201)
    await withClockAhead(40_000, async () => expect((await begin(token)).status).toBe(401))
  })

  it('refuses a missing key, a wrong one, and every token', async () => {
    const body = JSON.stringify({ sub: 'alice', expires_in: 60 })
    const without = await fetch(`${service.url}/tokens`, { method: 'POST', body })
    expect([without.status, without.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer'])
    for (const key of [`${TOKEN_KEY}x`, 'x', await tokenFor('alice', { iss: 'login' }), await create({})]) {
      expect((await ask({ sub: 'alice', expires_in: 60 }, key)).status).toBe(401)
    }
  })

  it.each([
    ['no subject', { expires_in: 60 }],
    ['an empty subject', { sub: '', expires_in: 60 }],
    ['no end', { sub: 'alice' }],
    ['no lifetime', { sub: 'alice', expires_in: 0 }],
    ['an endless lifetime', { sub: 'alice', expires_in: 1e12 }],
    ['a misspelt limit', { sub: 'alice', expires_in: 60, maxSize: 5 }],
    ['an unknown action', { sub: 'alice', expires_in: 60, may: ['grant'] }],
    ['no object', 'alice'],
  ])('refuses a request with %s, in one sentence', async (_, body) => {
    const response = await ask(body)
    expect([response.status, await response.text()]).toEqual([400, expect.stringMatching(/^[A-Z][^\n]*\.\n$/)])
  })

  it('refuses a body that is no JSON, or too long', async () => {
    const send = (body: string) => fetch(`${service.url}/tokens`, { method: 'POST', headers: bearer(TOKEN_KEY), body })
    expect((await send('sub=alice')).status).toBe(400)
    expect((await send(`{"sub":"${'a'.repeat(17_000)}"}`)).status).toBe(413)
  })

  it.each([
    ['authentication is off', { AUTH: 'none' }],
    ['there is no TOKEN_KEY', { AUTH: 'jwt', TOKEN_KEY: '' }],
  ])('does not exist when %s', async (_, settings) => {
    service = await service.restart(settings)
    expect((await ask({ sub: 'alice', expires_in: 60 })).status).toBe(404)
  })
})

describe('landfall token create', () => {
  it('prints a token that the service accepts within its limits', async () => {
    const token = await command('--sub', 'alice', '--expires', '15m', '--max-size', '10', '--path', '/files')
    expect((await begin(token, 10)).status).toBe(201)
    expect((await begin(token, 11)).status).toBe(413)
    const { exp = 0, iat = 0, ...claims } = decodeJwt(token)
    expect(exp - iat).toBe(900)
    expect(claims).toEqual({
      iss: 'landfall',
      sub: 'alice',
      landfall: { may: ['create', 'write', 'ask'], max_size: 10, path: '/files' },
    })
  })

  it('uses the secret of the data directory', async () => {
    service = await service.restart({ SECRET: '' })
    const token = await command('--sub', 'alice', '--expires', '1h', '--types', 'image/*, .pdf', '--may', 'create')
    expect((await begin(token)).status).toBe(401)
    const env = { PATH: process.env['PATH'] ?? '' }
    const args = [MAIN, 'token', 'create', '--sub', 'alice', '--expires', '1h', '--data-dir', service.dataDir]
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    expect((await begin(stdout.trim())).status).toBe(201)
    expect(decodeJwt(token)['landfall']).toEqual({ may: ['create'], types: ['image/*', '.pdf'] })
  })

  it.each([
    [['--sub', 'alice'], '--expires must be a time like 90s, 15m, 2h, or 7d.'],
    [['--expires', '1h'], '--sub is not valid: must not be empty.'],
    [['--sub', 'alice', '--expires', '900d'], '--expires is not valid: must be at most 31622400 seconds.'],
    [['--sub', 'alice', '--expires', '1h', '--max-size', 'big'], '--max-size is not valid'],
  ])('refuses %j', async (args, sentence) => {
    await expect(command(...args)).rejects.toMatchObject({ stderr: expect.stringContaining(sentence) })
  })
})
