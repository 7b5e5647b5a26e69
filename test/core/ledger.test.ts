import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { expectRefusal } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import {
  create,
  createUpload,
  idOf,
  locationOf,
  offsetOf,
  PATCH_HEADERS,
  patch,
  patchWith,
  TUS,
} from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

/** Creates an upload. @returns the status, the code, and the sentence of a refusal. */
async function answerTo(headers: Readonly<Record<string, string>>): Promise<readonly [number, string | null, string]> {
  const response = await create(service.url, headers)
  return [response.status, response.headers.get('Upload-Error'), await response.text()]
}

function newUpload(length: number): ReturnType<typeof answerTo> {
  return answerTo({ 'Upload-Length': String(length) })
}

async function statusOf(length: number): Promise<number> {
  const [status] = await newUpload(length)
  return status
}

function remove(url: string): Promise<Response> {
  return fetch(url, { method: 'DELETE', headers: TUS })
}

/** Every name in the data directory, except the totals that the service keeps. */
async function everyName(): Promise<readonly string[]> {
  return (await readdir(service.dataDir, { recursive: true })).filter((name) => !name.startsWith('usage')).sort()
}

describe('QUOTA_FILES', () => {
  it('refuses further files with a sentence that names the limit, until one is deleted', async () => {
    service = await startService({ QUOTA_FILES: '2' })
    const first = await createUpload(service.url, 0)
    await createUpload(service.url, 5)
    expect(await newUpload(0)).toEqual([
      413,
      'quota_exceeded',
      'You may have at most 2 files; delete some to make room.\n',
    ])
    expect((await remove(first)).status).toBe(204)
    expect(await statusOf(0)).toBe(201)
    expect(await statusOf(0)).toBe(413)
  })

  it('holds for requests that arrive together', async () => {
    service = await startService({ QUOTA_FILES: '3' })
    const answers = await Promise.all(Array.from({ length: 12 }, () => newUpload(5)))
    expect(answers.filter(([status]) => status === 201)).toHaveLength(3)
    expect(answers.filter(([status]) => status === 413)).toHaveLength(9)
  })

  it('still holds after a restart', async () => {
    service = await startService({ QUOTA_FILES: '2' })
    await createUpload(service.url, 0)
    await createUpload(service.url, 5)
    service = await service.restart()
    expect(await statusOf(0)).toBe(413)
  })
})

describe('QUOTA_UNFINISHED', () => {
  it('counts an upload until it is finished', async () => {
    service = await startService({ QUOTA_UNFINISHED: '1' })
    const url = await createUpload(service.url, 5)
    const sentence = 'You may have at most 1 unfinished uploads; finish or delete some.\n'
    expect(await newUpload(5)).toEqual([413, 'quota_exceeded', sentence])
    expect((await patch(url, 0, bytesOf(5))).status).toBe(204)
    expect(await statusOf(5)).toBe(201)
  })

  it('counts an upload until it expires', async () => {
    service = await startService({ QUOTA_UNFINISHED: '1', EXPIRES_AFTER: '1' })
    await createUpload(service.url, 5)
    expect(await statusOf(5)).toBe(413)
    await until(async () => (await statusOf(5)) === 201)
  })
})

describe('QUOTA_BYTES', () => {
  it('reserves the length of an upload before its first byte, and releases it with its deletion', async () => {
    service = await startService({ QUOTA_BYTES: String(MIB) })
    const url = await createUpload(service.url, 600_000)
    const sentence = 'Your uploads may have at most 1048576 bytes in all; delete files to make room.\n'
    expect(await newUpload(600_000)).toEqual([413, 'quota_exceeded', sentence])
    await remove(url)
    expect(await statusOf(600_000)).toBe(201)
  })

  it('counts finished files', async () => {
    service = await startService({ QUOTA_BYTES: String(MIB) })
    const url = await createUpload(service.url, 600_000)
    await patch(url, 0, bytesOf(600_000))
    expect(await statusOf(600_000)).toBe(413)
    await remove(url)
    expect(await statusOf(600_000)).toBe(201)
  })

  it('ends an upload of unknown length where it is used up, and keeps the bytes before', async () => {
    service = await startService({ QUOTA_BYTES: String(3 * MIB) })
    const url = locationOf(await create(service.url, { 'Upload-Defer-Length': '1' }), service.url)
    expect((await patch(url, 0, bytesOf(MIB))).status).toBe(204)
    const refused = await patch(url, MIB, bytesOf(8 * MIB))
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([413, 'quota_exceeded'])
    const offset = await offsetOf(url)
    expect(offset).toBeGreaterThanOrEqual(MIB)
    expect(offset).toBeLessThanOrEqual(3 * MIB)
    const { size } = await stat(path.join(service.dataDir, 'incoming', idOf(url)))
    expect(size).toBe(offset)
    expect((await patch(url, offset, bytesOf(0))).status).toBe(204)
  })

  it('ends a checked request of unknown length, and nothing of it stays', async () => {
    service = await startService({ QUOTA_BYTES: String(3 * MIB) })
    const url = locationOf(await create(service.url, { 'Upload-Defer-Length': '1' }), service.url)
    const body = bytesOf(8 * MIB)
    const checksum = `sha1 ${createHash('sha1').update(body).digest('base64')}`
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Checksum': checksum }
    expect((await patchWith(url, headers, body)).status).toBe(413)
    expect((await stat(path.join(service.dataDir, 'incoming', idOf(url)))).blocks).toBe(0)
    expect(await statusOf(2 * MIB)).toBe(201)
  })

  it('refuses a length that is announced later', async () => {
    service = await startService({ QUOTA_BYTES: String(3 * MIB) })
    const url = locationOf(await create(service.url, { 'Upload-Defer-Length': '1' }), service.url)
    const announced = (length: number): Promise<Response> =>
      patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Length': String(length) })
    expect((await announced(4 * MIB)).status).toBe(413)
    expect((await announced(2 * MIB)).status).toBe(204)
    expect(await statusOf(MIB)).toBe(413)
  })

  it('is released by an upload that fails', async () => {
    service = await startService({ QUOTA_BYTES: String(MIB) })
    const sha256 = createHash('sha256').update('something else').digest('hex')
    const url = await createUpload(service.url, 600_000, { sha256 })
    expect((await patch(url, 0, bytesOf(600_000))).status).toBe(422)
    await until(async () => (await statusOf(600_000)) === 201)
  })

  it('counts the bytes of a concatenation once', async () => {
    service = await startService({ QUOTA_BYTES: String(2 * MIB + 100_000) })
    const part = async (): Promise<string> => {
      const headers = {
        'Upload-Concat': 'partial',
        'Upload-Length': String(MIB),
        'Content-Type': PATCH_HEADERS['Content-Type'],
      }
      return locationOf(await create(service.url, headers, bytesOf(MIB)), service.url)
    }
    const parts = [await part(), await part()]
    expect(await statusOf(MIB)).toBe(413)
    const final = await create(service.url, { 'Upload-Concat': `final;${parts.join(' ')}` })
    expect(final.status).toBe(201)
    const url = locationOf(final, service.url)
    await until(async () => (await offsetOf(url)) === 2 * MIB)
    expect(await statusOf(MIB)).toBe(413)
    // There is room for what the parts no longer count.
    expect(await statusOf(20_000)).toBe(201)
    await remove(url)
    expect(await statusOf(MIB)).toBe(201)
  })

  it('leaves nothing of refused WebUploader chunks', async () => {
    service = await startService({ QUOTA_BYTES: '100000' })
    const before = await everyName()
    for (let task = 0; task < 10; task++) {
      const file = cut(bytesOf(300_000), 100_000, { task_id: `task-${task}` })
      await expectRefusal(await sendChunk(service.url, file.fields(0), file.bytes(0)), 413, 'quota_exceeded')
    }
    expect(await everyName()).toEqual(before)
  })
})

describe('The limits for all accounts', () => {
  it.each([
    ['TOTAL_FILES', '1', 'The service stores at most 1 files and has no room for another one.\n'],
    ['TOTAL_UNFINISHED', '1', 'The service has at most 1 unfinished uploads; try again later.\n'],
    ['TOTAL_BYTES', '30000', 'The service stores at most 30000 bytes and has no room for this upload.\n'],
  ])('%s is a temporary error', async (name, limit, sentence) => {
    service = await startService({ [name]: limit })
    const url = await createUpload(service.url, 10_000)
    expect(await newUpload(10_000)).toEqual([507, 'no_space', sentence])
    await remove(url)
    expect(await statusOf(10_000)).toBe(201)
  })
})

describe('CREATIONS_PER_MINUTE', () => {
  it('delays creations, and refuses those that would wait too long with the time to wait', async () => {
    service = await startService({ CREATIONS_PER_MINUTE: '6' })
    const abort = new AbortController()
    const post = (): Promise<Response> =>
      fetch(`${service.url}/files`, { method: 'POST', headers: { ...TUS, 'Upload-Length': '5' }, signal: abort.signal })
    const [first, second, ...later] = Array.from({ length: 9 }, post)
    expect([(await first)?.status, (await second)?.status]).toEqual([201, 201])
    const refused = await Promise.any(later)
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([429, 'too_many_requests'])
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
    const file = cut(bytesOf(5), 5)
    const chunk = await sendChunk(service.url, file.fields(0), file.bytes(0))
    await expectRefusal(chunk, 409, 'too_many_requests')
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    abort.abort()
    await Promise.allSettled(later)
  })
})

describe('REQUESTS_PER_MINUTE', () => {
  it('limits the requests of an address, apart from health checks', async () => {
    service = await startService({ REQUESTS_PER_MINUTE: '6' })
    const abort = new AbortController()
    const options = (): Promise<Response> => fetch(`${service.url}/files`, { method: 'OPTIONS', signal: abort.signal })
    const [first, second, ...later] = Array.from({ length: 9 }, options)
    expect([(await first)?.status, (await second)?.status]).toEqual([204, 204])
    const refused = await Promise.any(later)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
    abort.abort()
    await Promise.allSettled(later)
  })
})

describe('MAX_METADATA', () => {
  const long = 'x'.repeat(1_000)
  const encoded = `name ${Buffer.from(long).toString('base64')}`

  it.each<[string, Readonly<Record<string, string>>]>([
    ['decoded', { ...TUS, 'Upload-Length': '5', 'Upload-Metadata': encoded }],
    [
      'in a header that is kept as it is',
      { ...TUS, 'Upload-Length': '5', 'Upload-Metadata': `a b c${' '.repeat(2_000)}d` },
    ],
  ])('refuses more metadata of a tus upload: %s', async (_, headers) => {
    service = await startService({ MAX_METADATA: '1000' })
    const refused = await fetch(`${service.url}/files`, { method: 'POST', headers })
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([413, 'metadata_too_large'])
  })

  it('accepts as much as it says', async () => {
    service = await startService({ MAX_METADATA: '1004' })
    expect((await answerTo({ 'Upload-Length': '5', 'Upload-Metadata': encoded }))[0]).toBe(201)
  })

  it('refuses more fields of a WebUploader file, and leaves nothing', async () => {
    service = await startService({ MAX_METADATA: '300' })
    const before = await everyName()
    const file = cut(bytesOf(5), 5, { type: `text/${'x'.repeat(250)}` })
    await expectRefusal(await sendChunk(service.url, file.fields(0), file.bytes(0)), 413, 'metadata_too_large')
    expect(await everyName()).toEqual(before)
  })
})

it('A checksum that fails in the middle of an upload with a journal leaves no bytes', async () => {
  service = await startService()
  const url = await createUpload(service.url, 8 * MIB)
  const first = bytesOf(MIB)
  const send = (offset: number, body: Buffer<ArrayBuffer>, of: Buffer): Promise<Response> => {
    const checksum = `sha1 ${createHash('sha1').update(of).digest('base64')}`
    return patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': String(offset), 'Upload-Checksum': checksum }, body)
  }
  expect((await send(0, first, first)).status).toBe(204)
  const { blocks, size } = await stat(path.join(service.dataDir, 'incoming', idOf(url)))
  expect((await send(MIB, bytesOf(4 * MIB), first)).status).toBe(460)
  expect(await stat(path.join(service.dataDir, 'incoming', idOf(url)))).toMatchObject({ blocks, size })
})
