/** Files that become uploads without being sent, over HTTP. */
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { isInBucket } from '../support/bucket-settings.ts'
import { ask, contentOf, instantly, post, proof, questionAbout, send } from '../support/instant.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { head, idOf, TUS } from '../support/tus.ts'

const MIB = 1024 * 1024
const LARGE = contentOf(5 * MIB + 123, 'large')
const MEDIUM = contentOf(300_000, 'medium')
const SMALL = contentOf(1_000, 'small')
const EMPTY = Buffer.alloc(0)

let service: TestService
let alice: Readonly<Record<string, string>>
let bob: Readonly<Record<string, string>>

beforeAll(async () => {
  service = await startService({ AUTH: 'jwt', JWT_SECRET, INSTANT: 'owner' })
  alice = bearer(await tokenFor('alice'))
  bob = bearer(await tokenFor('bob'))
})
afterAll(() => service.close())

async function download(url: string, headers: Readonly<Record<string, string>>): Promise<Buffer> {
  const response = await fetch(url, { headers })
  expect(response.status).toBe(200)
  return Buffer.from(await response.arrayBuffer())
}

async function created(response: Response): Promise<{ url: string; size: number; finished: boolean }> {
  const text = await response.text()
  expect([response.status, text]).toEqual([201, text])
  return JSON.parse(text)
}

const linksOf = async (url: string): Promise<number> => {
  const folder = path.join(service.dataDir, 'files', idOf(url))
  const [name = ''] = await readdir(folder)
  return (await stat(path.join(folder, name))).nlink
}

describe('An instant upload', () => {
  it.each([
    ['larger than what is proved', LARGE],
    ['of which all is proved', MEDIUM],
    ['that comes with its creation', SMALL],
    ['without bytes', EMPTY],
  ])('is a finished upload of its own, for a file %s', async (_, content) => {
    const sent = await send(service.url, content, alice)
    const response = await instantly(service.url, content, {
      headers: alice,
      metadata: { filename: 'copied.bin', filetype: 'text/plain' },
    })
    const { url, size, finished } = await created(response)
    expect([size, finished]).toEqual([content.length, true])
    expect(url).toBe(response.headers.get('Location'))
    expect(url).not.toBe(sent)
    expect((await download(url, alice)).equals(content)).toBe(true)
    const found = await fetch(url, { method: 'HEAD', headers: { ...TUS, ...alice } })
    expect(found.headers.get('Upload-Offset')).toBe(String(content.length))
    expect(found.headers.get('Upload-Metadata')).toBe('filename Y29waWVkLmJpbg==,filetype dGV4dC9wbGFpbg==')
    expect((await fetch(url, { headers: alice })).headers.get('Content-Disposition')).toContain('copied.bin')
  })

  it('stays when the file that it came from is deleted, and the other way round', async () => {
    const content = contentOf(200_000, 'deleted')
    const sent = await send(service.url, content, alice)
    const first = (await created(await instantly(service.url, content, { headers: alice }))).url
    const second = (await created(await instantly(service.url, content, { headers: alice }))).url
    for (const url of [sent, second]) {
      expect((await fetch(url, { method: 'DELETE', headers: { ...TUS, ...alice } })).status).toBe(204)
      expect((await fetch(url, { headers: alice })).status).toBe(410)
      expect((await download(first, alice)).equals(content)).toBe(true)
    }
    const third = (await created(await instantly(service.url, content, { headers: alice }))).url
    expect((await download(third, alice)).equals(content)).toBe(true)
  })

  it('is a miss when every such file is deleted, also between question and proof', async () => {
    const content = contentOf(200_000, 'gone')
    const sent = await send(service.url, content, alice)
    const question = await questionAbout(service.url, content, alice)
    await fetch(sent, { method: 'DELETE', headers: { ...TUS, ...alice } })
    const claim = { question: question.question, proof: proof(question, content) }
    expect((await post(service.url, '/instant/proof', claim, alice)).status).toBe(404)
    expect((await ask(service.url, content, alice)).status).toBe(404)
  })

  it('can come from an instant upload, and from many at once', async () => {
    const content = contentOf(150_000, 'at once')
    await send(service.url, content, alice)
    const responses = await Promise.all(
      Array.from({ length: 12 }, () => instantly(service.url, content, { headers: alice })),
    )
    const urls = await Promise.all(responses.map(async (response) => (await created(response)).url))
    expect(new Set(urls).size).toBe(12)
    for (const url of urls) expect((await download(url, alice)).equals(content)).toBe(true)
    if (!isInBucket) for (const url of urls) expect(await linksOf(url)).toBe(13)
  })

  it('is found after a restart', async () => {
    const content = contentOf(140_000, 'restart')
    await send(service.url, content, alice)
    service = await service.restart()
    let response = await ask(service.url, content, alice)
    while (response.status === 404) response = await ask(service.url, content, alice)
    expect(response.status).toBe(200)
    const { url } = await created(await instantly(service.url, content, { headers: alice }))
    const before = await fetch(url, { headers: alice })
    service = await service.restart()
    const after = await fetch(service.url + new URL(url).pathname, { headers: alice })
    expect(Buffer.from(await after.arrayBuffer()).equals(content)).toBe(true)
    expect(after.headers.get('Last-Modified')).toBe(before.headers.get('Last-Modified'))
    expect(after.headers.get('ETag')).toBe(before.headers.get('ETag'))
  })

  it('has the right bytes if several files have its fingerprint', async () => {
    const content = contentOf(1_000_000, 'several')
    const other = Buffer.from(content)
    other.fill(0, 500_000, 501_000)
    for (const bytes of [content, other]) await send(service.url, bytes, alice)
    for (const bytes of [content, other]) {
      const { url } = await created(await instantly(service.url, bytes, { headers: alice }))
      expect((await download(url, alice)).equals(bytes)).toBe(true)
    }
  })

  it('comes from one of the newest four files of a fingerprint, as no proof is compared with more', async () => {
    const content = contentOf(1_000_000, 'many')
    const alike = Array.from({ length: 6 }, (_, i) => Buffer.from(content).fill(i, 500_000, 501_000))
    for (const bytes of alike) await send(service.url, bytes, alice)
    const statuses: number[] = []
    for (const bytes of alike) {
      const response = await instantly(service.url, bytes, { headers: alice })
      statuses.push(response.status)
      const url = response.headers.get('Location')
      // The new upload would be the newest of these files.
      if (url !== null) await fetch(url, { method: 'DELETE', headers: { ...TUS, ...alice } })
    }
    expect(statuses).toEqual([404, 404, 201, 201, 201, 201])
  })

  it('of another owner is a miss, as an unknown file is', async () => {
    const content = contentOf(160_000, 'alice only')
    await send(service.url, content, alice)
    const foreign = await ask(service.url, content, bob)
    const unknown = await ask(service.url, contentOf(160_000, 'nobody'), bob)
    const seen = (response: Response) =>
      [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
    expect([foreign.status, await foreign.text(), seen(foreign)]).toEqual([404, await unknown.text(), seen(unknown)])
  })

  it('needs credentials that allow creations', async () => {
    const content = contentOf(160_000, 'rights')
    await send(service.url, content, alice)
    expect((await ask(service.url, content)).status).toBe(401)
    const reader = bearer(await tokenFor('alice', { landfall: { may: ['read'] } }))
    expect((await ask(service.url, content, reader)).status).toBe(403)
  })

  it('is announced by the session of its owner', async () => {
    const sessionOf = async (headers: Readonly<Record<string, string>>): Promise<unknown> =>
      JSON.parse(await (await fetch(`${service.url}/session`, { headers })).text()).instant
    expect([await sessionOf(alice), await sessionOf({})]).toEqual([true, undefined])
  })

  it.each([
    ['no JSON', '{', '/instant'],
    ['no object', '[]', '/instant'],
    ['a negative size', { size: -1, fingerprint: '0'.repeat(64) }, '/instant'],
    ['a short fingerprint', { size: 1, fingerprint: '0' }, '/instant'],
    ['a proof of another length', { question: 'x', proof: 'abc' }, '/instant/proof'],
    [
      'metadata that a header cannot have',
      { question: 'x', proof: '0'.repeat(64), metadata: { 'a b': 'c' } },
      '/instant/proof',
    ],
  ])('is refused with 400 for a body with %s', async (_, body, at) => {
    const response = await post(service.url, at, body, alice)
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([400, 'bad_request'])
  })

  it('is refused with 413 for a body that is too large', async () => {
    const response = await post(service.url, '/instant', { size: 1, fingerprint: 'a'.repeat(20_000) }, alice)
    expect(response.status).toBe(413)
  })
})

describe('The quota of an account', () => {
  it('charges an instant upload its full size', async () => {
    const content = contentOf(MIB, 'quota')
    const carol = bearer(await tokenFor('carol', { landfall: { quota: 2.5 * MIB } }))
    await send(service.url, content, carol)
    const usedBy = async (): Promise<number> =>
      JSON.parse(await (await fetch(`${service.url}/session`, { headers: carol })).text()).limits.used
    const before = await usedBy()
    const { url } = await created(await instantly(service.url, content, { headers: carol }))
    expect(await usedBy()).toBeGreaterThanOrEqual(before + MIB)
    const refused = await instantly(service.url, content, { headers: carol })
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([413, 'quota_exceeded'])
    await fetch(url, { method: 'DELETE', headers: { ...TUS, ...carol } })
    expect(await usedBy()).toBe(before)
  })
})

describe('A service without INSTANT', () => {
  it('has no such endpoint, and keeps no fingerprints', async () => {
    const plain = await startService()
    try {
      const url = await send(plain.url, MEDIUM)
      expect((await ask(plain.url, MEDIUM)).status).toBe(404)
      expect((await head(url)).status).toBe(200)
      if (isInBucket) return
      const records = (await readdir(path.join(plain.dataDir, 'records'), { recursive: true })).filter((name) =>
        name.endsWith('.json'),
      )
      const [record = ''] = records
      expect(await readFile(path.join(plain.dataDir, 'records', record), 'utf8')).not.toContain('fingerprint')
    } finally {
      await plain.close()
    }
  })
})
