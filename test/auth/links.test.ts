import { afterEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { withClockAhead } from '../support/clock.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

type Headers = Readonly<Record<string, string>>

const content = bytesOf(100)
const answer = z.object({ url: z.string(), expires: z.number() })

let service: TestService
afterEach(() => service.close())

/** Uploads the content. @returns its URL. */
async function upload(headers: Headers = {}): Promise<string> {
  const created = await fetch(`${service.url}/files`, {
    method: 'POST',
    headers: {
      ...TUS,
      ...headers,
      'Upload-Length': '100',
      'Content-Type': PATCH_HEADERS['Content-Type'],
      'Upload-Metadata': `filename ${Buffer.from('a.png').toString('base64')},filetype ${Buffer.from('image/png').toString('base64')}`,
    },
    body: content,
  })
  expect(created.status).toBe(201)
  return locationOf(created, service.url)
}

const askForLink = (url: string, headers: Headers = {}, query = ''): Promise<Response> =>
  fetch(`${url}/link${query}`, { method: 'POST', headers })

async function linkTo(url: string, headers: Headers = {}, query = ''): Promise<string> {
  const response = await askForLink(url, headers, query)
  expect(response.status).toBe(201)
  return new URL(answer.parse(JSON.parse(await response.text())).url, service.url).href
}

describe('A signed link', () => {
  it('reads the file, with ranges and as an image, but does not reveal the id', async () => {
    service = await startService()
    const url = await upload()
    const link = await linkTo(url)
    const response = await fetch(link)
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
    expect((await fetch(link, { headers: { Range: 'bytes=0-9' } })).status).toBe(206)
    expect((await fetch(`${link}?inline`)).headers.get('Content-Disposition')).toMatch(/^inline/)
    const head = await fetch(link, { method: 'HEAD' })
    expect(head.status).toBe(200)
    const told = JSON.stringify([link, ...response.headers, ...head.headers])
    expect(told).not.toContain(idOf(url))
    for (const segment of [idOf(link).slice(1), response.headers.get('ETag') ?? '']) {
      expect(Buffer.from(segment, 'base64url').toString('latin1')).not.toContain(idOf(url))
    }
  })

  it('does nothing but read', async () => {
    service = await startService()
    const url = await upload()
    const link = await linkTo(url)
    const draft = { 'Upload-Draft-Interop-Version': '8' }
    const append = { 'Upload-Offset': '0', 'Content-Type': 'application/partial-upload', 'Upload-Complete': '?1' }
    const attempts: [string, string, Headers][] = [
      ['DELETE', link, TUS],
      ['DELETE', link, {}],
      ['PATCH', link, { ...PATCH_HEADERS, 'Upload-Offset': '0' }],
      ['PATCH', link, { ...draft, ...append }],
      ['POST', `${link}/link`, {}],
      ['HEAD', link, TUS],
      ['GET', link, TUS],
      ['HEAD', link, draft],
      ['GET', link, draft],
      ['GET', `${link}/digest?start=0&end=10`, {}],
      ['POST', link, { ...TUS, 'X-HTTP-Method-Override': 'DELETE' }],
    ]
    for (const [method, target, headers] of attempts) {
      expect([method, (await fetch(target, { method, headers })).status]).toEqual([method, 404])
    }
    expect((await fetch(url)).status).toBe(200)
  })

  it('is refused in one sentence once it has expired, or if one character differs', async () => {
    service = await startService()
    const link = await linkTo(await upload(), {}, '?expires_in=60')
    const expectRefused = async (url: string): Promise<void> => {
      const response = await fetch(url)
      expect([response.status, await response.text()]).toEqual([403, 'This link is not valid, or has expired.\n'])
    }
    expect((await fetch(link)).status).toBe(200)
    await withClockAhead(61_000, () => expectRefused(link))
    const last = idOf(link)
    const { url } = service
    for (let i = 1; i < last.length - 1; i += 5) {
      const other = last[i] === 'A' ? 'B' : 'A'
      await expectRefused(`${url}/files/${last.slice(0, i)}${other}${last.slice(i + 1)}`)
    }
    for (const wrong of ['~', '~A', `~${'A'.repeat(80)}`, `~${'A'.repeat(900)}`])
      await expectRefused(`${url}/files/${wrong}`)
  })

  it('reads only the file that it was made for, and is useless elsewhere', async () => {
    service = await startService({ SECRET: 'a secret of the service, 32+ bytes' })
    const link = await linkTo(await upload())
    service = await service.restart({ SECRET: 'another secret of the service, 32+' })
    expect((await fetch(new URL(new URL(link).pathname, service.url))).status).toBe(403)
  })

  it('needs no token with AUTH=jwt, is made only for the owner with the right to read, and ends with the file', async () => {
    service = await startService({ AUTH: 'jwt', JWT_SECRET })
    const alice = bearer(await tokenFor('alice'))
    const url = await upload(alice)
    expect((await askForLink(url)).status).toBe(401)
    expect((await askForLink(url, bearer(await tokenFor('bob')))).status).toBe(404)
    const writer = bearer(await tokenFor('alice', { landfall: { may: ['create', 'write', 'ask', 'delete'] } }))
    expect((await askForLink(url, writer)).status).toBe(403)
    const link = await linkTo(url, alice)
    expect((await fetch(link)).status).toBe(200)
    expect((await fetch(link, { method: 'HEAD', headers: TUS })).status).toBe(401)
    await fetch(url, { method: 'DELETE', headers: { ...TUS, ...alice } })
    expect((await fetch(link)).status).toBe(410)
  })

  it('lasts from 1 second to 30 days', async () => {
    service = await startService()
    const url = await upload()
    for (const query of ['?expires_in=0', '?expires_in=2592001', '?expires_in=soon', '?expires_in=1&expires_in=2']) {
      expect((await askForLink(url, {}, query)).status).toBe(400)
    }
    const { expires } = answer.parse(JSON.parse(await (await askForLink(url, {}, '?expires_in=2592000')).text()))
    expect(Math.abs(expires - Date.now() / 1000 - 2_592_000)).toBeLessThan(60)
    expect((await askForLink(`${service.url}/files/unknown`)).status).toBe(404)
  })
})

describe('DOWNLOADS', () => {
  it('=signed lets clients download by a link only', async () => {
    service = await startService({ DOWNLOADS: 'signed' })
    const url = await upload()
    for (const headers of [{}, TUS]) {
      const response = await fetch(url, { headers })
      expect([response.status, response.headers.get('Upload-Error')]).toEqual([403, 'forbidden'])
    }
    expect((await fetch(await linkTo(url))).status).toBe(200)
    expect((await fetch(url, { method: 'HEAD', headers: TUS })).status).toBe(200)
  })

  it('=off lets no client download, and makes earlier links useless', async () => {
    service = await startService()
    const url = await upload()
    const path = new URL(await linkTo(url)).pathname
    service = await service.restart({ DOWNLOADS: 'off' })
    const again = `${service.url}/files/${idOf(url)}`
    expect((await fetch(again)).status).toBe(403)
    expect((await fetch(`${service.url}${path}`)).status).toBe(403)
    expect((await askForLink(again)).status).toBe(403)
    // Clients of the draft ask for the offset like this.
    expect((await fetch(again, { headers: { 'Upload-Draft-Interop-Version': '8' } })).status).toBe(204)
  })
})

describe('TERMINATION', () => {
  const remove = (url: string): Promise<Response> => fetch(url, { method: 'DELETE', headers: TUS })
  const extensions = async (): Promise<string[]> =>
    ((await fetch(`${service.url}/files`, { method: 'OPTIONS' })).headers.get('Tus-Extension') ?? '').split(',')
  const begin = async (): Promise<string> => {
    const headers = { ...TUS, 'Upload-Length': '100' }
    return locationOf(await fetch(`${service.url}/files`, { method: 'POST', headers }), service.url)
  }

  it('=unfinished keeps finished files', async () => {
    service = await startService({ TERMINATION: 'unfinished' })
    const finished = await upload()
    expect((await remove(finished)).status).toBe(400)
    expect((await fetch(finished)).status).toBe(200)
    expect((await remove(await begin())).status).toBe(204)
    expect(await extensions()).toContain('termination')
  })

  it('=off removes nothing, and announces no termination', async () => {
    service = await startService({ TERMINATION: 'off' })
    const urls = [await upload(), await begin()]
    for (const url of urls) {
      expect((await remove(url)).status).toBe(405)
      expect((await fetch(url, { method: 'DELETE' })).headers.get('Allow')).not.toContain('DELETE')
      expect((await fetch(url, { method: 'HEAD', headers: TUS })).status).toBe(200)
    }
    expect(await extensions()).not.toContain('termination')
  })

  it('=on removes finished files, too', async () => {
    service = await startService()
    expect((await remove(await upload())).status).toBe(204)
    expect(await extensions()).toContain('termination')
  })
})
