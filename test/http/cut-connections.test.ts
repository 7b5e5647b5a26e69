import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { Random } from '../support/random.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectNoBytes } from '../support/stored-uploads.ts'
import { createUpload, idOf, offsetOf, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'
import { type Cut, complete, cut, rawChunk } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

jest.setTimeout(120_000)

const SIZE = 48
const content = bytesOf(SIZE)
const HOW = ['cut', 'reset'] as const
type How = (typeof HOW)[number]
/** The number of concurrent cuts. */
const AT_ONCE = 24

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
  await service.close()
})

/** Sends the beginning of a request on its own connection, and ends that. */
async function sendBeginning(request: Buffer, length: number, how: How): Promise<void> {
  const wire = await connect(service.url)
  if (length > 0) await wire.send(request.subarray(0, length))
  await wire[how]()
}

/** Cuts a request of `length` bytes at every position, many concurrently, in both ways. */
async function everywhere(length: number, work: (place: number, how: How) => Promise<void>): Promise<void> {
  const places = Array.from({ length: length + 1 }, (_, place) => HOW.map((how) => ({ place, how }))).flat()
  const line = async (): Promise<void> => {
    for (let next = places.pop(); next !== undefined; next = places.pop()) {
      const { place, how } = next
      await work(place, how).catch((cause: unknown) => {
        throw new Error(`${how} after ${place} of ${length} bytes: ${cause}`, { cause })
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, line))
}

function whole(head: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(head), body])
}

/**
 * Sends the missing bytes, and retries on request: the service may notice a cut request only after the next one. Then
 * expects the file to be the content.
 */
async function expectToFinish(url: string, file = content): Promise<void> {
  for (let status = 409; status !== 204; ) {
    const offset = await offsetOf(url)
    if (offset === file.length) break
    status = (await patch(url, offset, file.subarray(offset))).status
    expect([204, 409]).toContain(status)
  }
  await expectFile(service, url, file)
}

function formChunk(file: Cut): Buffer {
  const { head, body } = rawChunk(file, 0)
  return whole(head, body)
}

function bareChunk(file: Cut): Buffer {
  const query = new URLSearchParams(Object.entries(file.fields(0)).map(([name, value]) => [name, String(value)]))
  return whole(requestHead('POST', `/upload/accept?${query}`, { 'Content-Length': SIZE }), file.bytes(0))
}

describe('A connection that breaks anywhere', () => {
  const patchOf = (url: string, more: Readonly<Record<string, string>> = {}): { head: string; request: Buffer } => {
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': SIZE, ...more }
    const head = requestHead('PATCH', new URL(url).pathname, headers)
    return { head, request: whole(head, content) }
  }
  const length = patchOf(`http://x/files/${'0'.repeat(32)}`).request.length

  it('in a PATCH keeps the bytes that arrived', async () => {
    await everywhere(length, async (place, how) => {
      const url = await createUpload(service.url, SIZE)
      const { head, request } = patchOf(url)
      await sendBeginning(request, place, how)
      const came = Math.max(0, place - head.length)
      // A reset may overtake bytes in flight.
      if (how === 'cut') await until(async () => (await offsetOf(url)) === came)
      expect(await offsetOf(url)).toBeLessThanOrEqual(came)
      await expectToFinish(url)
    })
  })

  it('in a PATCH with a checksum keeps no byte before all have arrived', async () => {
    const url = await createUpload(service.url, SIZE)
    const sum = { 'Upload-Checksum': `sha1 ${createHash('sha1').update(content).digest('base64')}` }
    const { request } = patchOf(url, sum)
    await everywhere(request.length - 1, (place, how) => sendBeginning(request, place, how))
    expect(await offsetOf(url)).toBe(0)
    await sendBeginning(request, request.length, 'cut')
    await until(async () => (await offsetOf(url)) === SIZE)
    await expectFile(service, url, content)
  })

  it.each(['as a form', 'bare'])('in a chunk, %s, keeps nothing of it before all has arrived', async (form) => {
    const file = cut(bytesOf(2 * SIZE - 5), SIZE, { task_id: `wu_cut_anywhere_${form}` })
    const request = form === 'bare' ? bareChunk(file) : formChunk(file)
    // The last two bytes follow the end of a form.
    const last = form === 'bare' ? request.length - 1 : request.length - 3
    await everywhere(last, (place, how) => sendBeginning(request, place, how))
    await land(service.url, file, 1)
    const query = { task_id: String(file.fields(0).task_id), filename: String(file.fields(0).name) }
    const response = await complete(service.url, query)
    expect([response.status, await response.json()]).toMatchObject([409, { missing: [0] }])
    await sendBeginning(request, request.length, 'cut')
    await until(async () => (await complete(service.url, query)).status === 200)
    expect(await land(service.url, file, 0)).toMatchObject({ finished: true, received: 2 * SIZE - 5 })
  })

  it('in a creation with its bytes leaves a whole file, or none', async () => {
    const before = new Set(await readdir(path.join(service.dataDir, 'files')))
    const headers = { ...PATCH_HEADERS, 'Upload-Length': SIZE, 'Content-Length': SIZE }
    const request = whole(requestHead('POST', '/files', headers), content)
    await everywhere(request.length, (place, how) => sendBeginning(request, place, how))
    const made = async (): Promise<string[]> =>
      (await readdir(path.join(service.dataDir, 'files'))).filter((id) => !before.has(id))
    await until(async () => (await made()).length > 0)
    expect((await made()).length).toBeLessThanOrEqual(HOW.length)
    for (const id of await made()) await expectFile(service, `${service.url}/files/${id}`, content)
  })

  it('in a creation of a part with its bytes keeps what arrived', async () => {
    const incoming = path.join(service.dataDir, 'incoming')
    const before = new Set(await readdir(incoming))
    const headers = { ...PATCH_HEADERS, 'Upload-Length': SIZE, 'Upload-Concat': 'partial', 'Content-Length': SIZE }
    const head = requestHead('POST', '/files', headers)
    const request = whole(head, content)
    await everywhere(request.length, (place, how) => sendBeginning(request, place, how))
    // All bytes that were sent before an end without a reset arrive.
    const offsets = async (): Promise<number[]> => {
      const ids = (await readdir(incoming)).filter((id) => !before.has(id))
      return Promise.all(ids.map((id) => offsetOf(`${service.url}/files/${id}`)))
    }
    await until(async () => {
      const found = await offsets()
      return Array.from({ length: SIZE + 1 }, (_, came) => came).every((came) => found.includes(came))
    })
    for (const id of (await readdir(incoming)).filter((id) => !before.has(id))) {
      const url = `${service.url}/files/${id}`
      const offset = await offsetOf(url)
      if (offset < SIZE) expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
      expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
      await expectNoBytes(service, url)
    }
  })

  it.each([
    ['/upload/complete', 'task_id=wu_unknown_task_of_a_page&filename=a.bin', 404],
    ['/check', '{"task_id":"wu_unknown","name":"a.bin","size":5}', 200],
  ])('in a form for %s has no effect', async (to, form, status) => {
    const headers = { 'Content-Type': 'text/plain', 'Content-Length': form.length }
    const request = whole(requestHead('POST', to, headers), Buffer.from(form))
    await everywhere(request.length, (place, how) => sendBeginning(request, place, how))
    const response = await fetch(`${service.url}${to}`, { method: 'POST', body: form })
    expect(response.status).toBe(status)
  })
})

describe('A connection that breaks at random places of a large body', () => {
  const large = bytesOf(5 * 1024 * 1024 + 11)
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

  it(`in a PATCH does not keep it from resuming (SEED=${seed})`, async () => {
    const random = new Random(seed)
    for (let round = 0; round < 24; round++) {
      const url = await createUpload(service.url, large.length)
      const how = random.chance(0.5) ? 'cut' : 'reset'
      const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': large.length }
      const head = requestHead('PATCH', new URL(url).pathname, headers)
      const bytes = random.size(1, large.length)
      await sendBeginning(whole(head, large), head.length + bytes, how)
      if (how === 'cut') await until(async () => (await offsetOf(url)) === bytes)
      expect(await offsetOf(url)).toBeLessThanOrEqual(bytes)
      await expectToFinish(url, large)
    }
  })

  it(`in a chunk keeps the whole chunk or nothing (SEED=${seed})`, async () => {
    const random = new Random(seed)
    const file = cut(large, 1024 * 1024, { task_id: `wu_cut_${idOf(`/${seed}`)}` })
    for (let chunk = 0; chunk < file.count; chunk++) {
      const { head, body } = rawChunk(file, chunk)
      for (let round = 0; round < 10; round++) {
        const request = whole(head, body)
        await sendBeginning(request, random.whole(1, request.length - 3), random.chance(0.5) ? 'cut' : 'reset')
      }
      const response = await complete(service.url, { task_id: String(file.fields(0).task_id), filename: 'big.bin' })
      const { missing = [chunk] }: { missing?: number[] } = JSON.parse(await response.text())
      expect([response.status, missing]).toEqual([chunk === 0 ? response.status : 409, expect.arrayContaining([chunk])])
      await land(service.url, file, chunk)
    }
    expect(await land(service.url, file, 0)).toMatchObject({ finished: true, received: large.length })
  })
})
