/** What clients of every dialect see of a file that a scanner has to pass. */
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import { DRAFT, append as draftAppend, create as draftCreate } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { create, createUpload, head, idOf, locationOf, patch } from '../support/tus.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { type HttpScanner, httpScanner } from './http-scanner.ts'

const HELLO = Buffer.from('Hello, world!')

let scanner: HttpScanner
let service: TestService

beforeEach(async () => {
  scanner = await httpScanner()
  service = await startService({ SCAN_URL: scanner.url })
})

afterEach(async () => {
  await service.close()
  await scanner.close()
})

const filesIn = (folder: string): Promise<string[]> => readdir(path.join(service.dataDir, folder))

async function upload(content: Buffer<ArrayBuffer> = HELLO): Promise<{ url: string; response: Response }> {
  const url = await createUpload(service.url, content.length, { filename: 'hello.txt' })
  return { url, response: await patch(url, 0, content) }
}

/** Waits until the file can be read: a busy host may be slower than the requests that wait for the scan. */
function visible(url: string): Promise<void> {
  return until(async () => (await fetch(url)).status === 200)
}

async function recordOf(url: string): Promise<Readonly<Record<string, unknown>>> {
  const id = idOf(url)
  const text = await readFile(path.join(service.dataDir, 'records', id.slice(0, 2), `${id}.json`), 'utf8')
  return JSON.parse(text.slice(0, text.indexOf('\n')))
}

describe('A clean file', () => {
  it('is scanned as a whole, with its facts, before it becomes visible', async () => {
    const { url, response } = await upload()
    expect(response.status).toBe(204)
    await visible(url)
    await expectFile(service, url, HELLO)
    expect(scanner.received.map(({ text }) => text)).toEqual(['Hello, world!'])
    expect(scanner.received[0]?.headers).toMatchObject({
      'upload-id': idOf(url),
      'upload-name': 'hello.txt',
      'content-length': '13',
    })
    expect(await recordOf(url)).toMatchObject({ scan: 'clean' })
  })

  it('is scanned also if it arrives with its creation', async () => {
    const response = await create(
      service.url,
      { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream' },
      HELLO,
    )
    expect(response.status).toBe(201)
    await visible(locationOf(response, service.url))
    await expectFile(service, locationOf(response, service.url), HELLO)
    expect(scanner.received).toHaveLength(1)
  })

  it('is scanned also if it is empty', async () => {
    const response = await create(service.url, { 'Upload-Length': '0' })
    expect(response.status).toBe(201)
    await visible(locationOf(response, service.url))
    expect(scanner.received.map(({ text }) => text)).toEqual([''])
  })

  it('is scanned once, whole, if it is larger than any buffer', async () => {
    const content = Buffer.from('abcdefghijklmnop'.repeat(500_000))
    const { url } = await upload(content)
    await expectFile(service, url, content)
    expect(scanner.received.map(({ text }) => text === content.toString())).toEqual([true])
  })

  it('is scanned as a final upload, not in its parts', async () => {
    const parts: string[] = []
    for (const text of ['Hello, ', 'world!']) {
      const made = await create(service.url, { 'Upload-Length': String(text.length), 'Upload-Concat': 'partial' })
      const part = locationOf(made, service.url)
      expect((await patch(part, 0, Buffer.from(text))).status).toBe(204)
      parts.push(part)
    }
    expect(scanner.received).toEqual([])
    const made = await create(service.url, { 'Upload-Concat': `final;${parts.join(' ')}` })
    expect(made.status).toBe(201)
    await expectFile(service, locationOf(made, service.url), HELLO)
    expect(scanner.received.map(({ text }) => text)).toEqual(['Hello, world!'])
  })
})

describe('A file without a verdict', () => {
  beforeEach(() => scanner.answer('silent'))

  it('is complete for a client of tus, but cannot be read', async () => {
    const { url, response } = await upload()
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe('13')
    const state = await head(url)
    expect(state.status).toBe(200)
    expect(state.headers.get('Upload-Offset')).toBe('13')
    const download = await fetch(url)
    expect(download.status).toBe(409)
    expect(await download.text()).toBe('This file is still being checked; try again in a moment.\n')
    expect(download.headers.get('Upload-Error')).toBe('scanning')
    expect(await filesIn('files')).toEqual([])
    scanner.answer('clean')
    await until(async () => (await fetch(url)).status === 200)
  })

  it('is incomplete for an observer', async () => {
    const { url } = await upload()
    const state = await fetch(url, { method: 'HEAD' })
    expect([state.status, state.headers.get('Upload-Complete')]).toEqual([204, '?0'])
  })

  it('is a complete final upload for a client of tus', async () => {
    const made = await create(service.url, { 'Upload-Length': '5', 'Upload-Concat': 'partial' })
    await patch(locationOf(made, service.url), 0, Buffer.from('Hello'))
    const final = await create(service.url, { 'Upload-Concat': `final;${locationOf(made, service.url)}` })
    expect(final.status).toBe(201)
    const state = await head(locationOf(final, service.url))
    expect([state.status, state.headers.get('Upload-Offset')]).toEqual([200, '5'])
    expect((await fetch(locationOf(final, service.url))).status).toBe(409)
  })

  it('keeps a client of the draft waiting, and is incomplete for its HEAD', async () => {
    const url = new URL((await draftCreate(service.url, false)).headers.get('Location') ?? '', service.url).href
    const appended = draftAppend(url, 0, true, HELLO)
    await until(async () => scanner.received.length === 1)
    const state = await fetch(url, { method: 'HEAD', headers: DRAFT })
    expect([state.status, state.headers.get('Upload-Complete'), state.headers.get('Upload-Offset')]).toEqual([
      204,
      '?0',
      '13',
    ])
    scanner.answer('clean')
    const response = await appended
    expect([response.status, response.headers.get('Upload-Complete')]).toEqual([201, '?1'])
  })

  it('is not finished for a legacy page, which asks again', async () => {
    const file = cut(HELLO, 7, { task_id: 'task-of-a-page' })
    const query = { task_id: 'task-of-a-page', filename: 'big.bin' }
    expect(await (await sendChunk(service.url, file.fields(0), file.bytes(0))).json()).toMatchObject({ ok: true })
    const last = await sendChunk(service.url, file.fields(1), file.bytes(1))
    expect(last.status).toBe(200)
    expect(await last.json()).toMatchObject({ ok: true, received: 13, finished: false })
    const early = await complete(service.url, query)
    expect(early.status).toBe(409)
    expect(await early.json()).toMatchObject({ ok: false, error: { code: 'scanning' } })
    scanner.answer('clean')
    expect(await (await complete(service.url, query)).json()).toMatchObject({ ok: true, size: 13 })
  })

  it('is scanned again after a restart', async () => {
    const { url } = await upload()
    service = await service.restart()
    expect(await filesIn('files')).toEqual([])
    await until(async () => scanner.received.length >= 2)
    scanner.answer('clean')
    await until(async () => (await fetch(service.url + new URL(url).pathname)).status === 200)
  })

  it('counts as complete for clients that may delete unfinished uploads only', async () => {
    const { url } = await upload()
    // Without the header of tus, DELETE follows the draft.
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(400)
    scanner.answer('clean')
    await visible(url)
  })

  it('can be deleted', async () => {
    const { url } = await upload()
    expect((await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })).status).toBe(204)
    expect((await fetch(url)).status).toBe(410)
    scanner.answer('clean')
    expect(await filesIn('files')).toEqual([])
    expect(await filesIn('incoming')).toEqual([])
  })

  it('does not expire', async () => {
    await service.close()
    service = await startService({ SCAN_URL: scanner.url, EXPIRES_AFTER: '1' })
    const { url } = await upload()
    const idle = await createUpload(service.url, 1)
    await until(async () => (await head(idle)).status !== 200)
    scanner.answer('clean')
    await until(async () => (await fetch(url)).status === 200)
  })
})

describe('A file that no scanner can answer for', () => {
  it('stays pending, and becomes visible when the scanner is back', async () => {
    scanner.answer('broken')
    const { url, response } = await upload()
    expect(response.status).toBe(204)
    expect((await fetch(url)).status).toBe(409)
    scanner.answer('clean')
    // Requests never make the service ask earlier.
    const asked = scanner.received.length
    for (let i = 0; i < 5; i += 1) await head(url)
    expect(scanner.received).toHaveLength(asked)
    await until(async () => (await fetch(url)).status === 200)
    expect(scanner.received).toHaveLength(asked + 1)
  })

  it('stays pending when the scan takes too long', async () => {
    scanner.answer('silent')
    await service.close()
    service = await startService({ SCAN_URL: scanner.url, SCAN_TIMEOUT: '1' })
    const { url } = await upload()
    await until(async () => scanner.received.length >= 2)
    expect((await fetch(url)).status).toBe(409)
    expect(await filesIn('files')).toEqual([])
  })
})

describe('A rejected file', () => {
  beforeEach(() => scanner.answer('rejected'))

  it('fails for a client of tus, with a sentence that tells nothing of the scanner', async () => {
    const { url, response } = await upload()
    expect(response.status).toBe(422)
    expect(await response.text()).toBe('This file did not pass the security scan.\n')
    const download = await fetch(url)
    expect([download.status, await download.text()]).toEqual([422, 'This file did not pass the security scan.\n'])
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(422)
  })

  it('is not sent again by tus-js-client, which gives up at 423 only', async () => {
    const { url } = await upload()
    const state = await head(url)
    expect([state.status, state.headers.get('Upload-Error')]).toEqual([423, 'rejected'])
  })

  it('is in the quarantine, where only the operator can read it', async () => {
    const { url } = await upload()
    const place = path.join(service.dataDir, 'quarantine', `${idOf(url)}.rejected`)
    expect(await readFile(place, 'utf8')).toBe('Hello, world!')
    expect((await stat(place)).mode & 0o777).toBe(0o600)
    expect(await filesIn('files')).toEqual([])
    expect((await stat(path.join(service.dataDir, 'incoming', idOf(url)))).size).toBe(0)
    const digest = await fetch(`${url}/digest?start=0&end=5`)
    expect(digest.status).toBe(422)
  })

  it('stays rejected after a restart, without another scan', async () => {
    const { url } = await upload()
    service = await service.restart()
    expect((await fetch(service.url + new URL(url).pathname)).status).toBe(422)
    expect(scanner.received).toHaveLength(1)
  })

  it('leaves the quarantine when its upload is deleted', async () => {
    const { url } = await upload()
    expect(await filesIn('quarantine')).toHaveLength(1)
    await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
    expect(await filesIn('quarantine')).toEqual([])
  })

  it('makes room in the quarantine by removing the oldest', async () => {
    await service.close()
    service = await startService({ SCAN_URL: scanner.url, QUARANTINE_SIZE: '30' })
    const ids: string[] = []
    for (let i = 0; i < 3; i += 1) ids.push(`${idOf((await upload()).url)}.rejected`)
    expect((await filesIn('quarantine')).sort()).toEqual(ids.slice(1).sort())
  })

  it('fails for a client of the draft', async () => {
    const response = await draftCreate(service.url, true, HELLO)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'rejected' })
    expect(response.headers.get('Upload-Complete')).toBe('?1')
  })

  it('fails if it arrives with its creation', async () => {
    const response = await create(
      service.url,
      { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream' },
      HELLO,
    )
    expect(response.status).toBe(422)
    expect(await filesIn('files')).toEqual([])
  })

  it('fails as a final upload, and leaves no bytes of its parts', async () => {
    const parts: string[] = []
    for (const text of ['Hello, ', 'world!']) {
      const made = await create(service.url, { 'Upload-Length': String(text.length), 'Upload-Concat': 'partial' })
      parts.push(locationOf(made, service.url))
      await patch(locationOf(made, service.url), 0, Buffer.from(text))
    }
    const made = await create(service.url, { 'Upload-Concat': `final;${parts.join(' ')}` })
    expect(made.status).toBe(422)
    const sizes = (await filesIn('incoming')).map(
      async (name) => (await stat(path.join(service.dataDir, 'incoming', name))).size,
    )
    expect((await Promise.all(sizes)).filter((size) => size > 0)).toEqual([])
  })

  it('fails for a legacy page, which cannot begin it anew by sending a chunk again', async () => {
    const file = cut(HELLO, 7, { task_id: 'task-of-a-page' })
    await sendChunk(service.url, file.fields(0), file.bytes(0))
    for (const chunk of [1, 1, 0]) {
      const response = await sendChunk(service.url, file.fields(chunk), file.bytes(chunk))
      expect(response.status).toBe(409)
      expect(await response.json()).toMatchObject({ ok: false, error: { code: 'rejected' } })
    }
    const answer = await complete(service.url, { task_id: 'task-of-a-page', filename: 'big.bin' })
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ error: { code: 'rejected' } })
    expect(scanner.received).toHaveLength(1)
    expect(await filesIn('incoming')).toHaveLength(1)
  })
})

describe('The bytes of a file without a verdict', () => {
  it('have no digests, whatever the client may do', async () => {
    const secret = 'a secret of the application, long enough'
    await service.close()
    service = await startService({ SCAN_URL: scanner.url, AUTH: 'jwt', JWT_SECRET: secret })
    scanner.answer('silent')
    const token = (may: readonly string[]): Promise<string> =>
      new SignJWT({ landfall: { may } })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('somebody')
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(secret))
    const writer = { Authorization: `Bearer ${await token(['create', 'write', 'read'])}` }
    const reader = { Authorization: `Bearer ${await token(['read'])}` }
    const made = await create(
      service.url,
      { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream', ...writer },
      HELLO,
    )
    const url = locationOf(made, service.url)
    const digest = (headers: Readonly<Record<string, string>>): Promise<number> =>
      fetch(`${url}/digest?start=0&end=5`, { headers }).then(({ status }) => status)
    expect([await digest(writer), await digest(reader)]).toEqual([423, 423])
    scanner.answer('clean')
    await until(async () => (await digest(reader)) === 200)
    expect(await digest(writer)).toBe(200)
  })
})
