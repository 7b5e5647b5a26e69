import { afterEach, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { locationOf, TUS } from '../support/tus.ts'

let service: TestService
afterEach(() => service.close())

/** Uploads "secret", or its beginning. @returns its URL. */
async function upload(content: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const created = await fetch(`${service.url}/files`, {
    method: 'POST',
    headers: { ...TUS, 'Upload-Length': '6', 'Content-Type': 'application/offset+octet-stream', ...headers },
    body: content,
  })
  expect(created.status).toBe(201)
  return locationOf(created, service.url)
}

/** Asks for the digest of one byte, which reveals it. */
async function ask(url: string, may?: readonly string[]): Promise<number> {
  const headers = may === undefined ? {} : bearer(await tokenFor('alice', { landfall: { may } }))
  return (await fetch(`${url}/digest?start=0&end=1`, { headers })).status
}

it('Digests of a finished file are for clients that may read it', async () => {
  service = await startService({ AUTH: 'jwt', JWT_SECRET })
  const url = await upload('secret', bearer(await tokenFor('alice')))
  expect([await ask(url, ['read']), await ask(url, ['create', 'write', 'ask'])]).toEqual([200, 403])
})

it('Digests of an unfinished upload are for clients that continue it', async () => {
  service = await startService({ AUTH: 'jwt', JWT_SECRET })
  const url = await upload('sec', bearer(await tokenFor('alice')))
  expect([await ask(url, ['read']), await ask(url, ['write'])]).toEqual([404, 200])
})

it('DOWNLOADS=off also withholds the digests of finished files', async () => {
  service = await startService({ DOWNLOADS: 'off' })
  expect([await ask(await upload('secret')), await ask(await upload('sec'))]).toEqual([403, 200])
})
