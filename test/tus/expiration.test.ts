import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectNoBytes } from '../support/stored-uploads.ts'
import { beginPatch, create, createUpload, head, idOf, locationOf, patch, reached } from '../support/tus.ts'
import { connect, until } from '../support/wire.ts'

const content = bytesOf(1000)
let service: TestService
afterEach(async () => {
  jest.restoreAllMocks()
  await service.close()
})

/** When the upload expires, in milliseconds. */
function expiresAt(response: Response): number {
  const text = response.headers.get('Upload-Expires') ?? ''
  expect(text).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/)
  return Date.parse(text)
}

describe('Upload-Expires', () => {
  it('is returned for unfinished uploads, moves with each byte, and is not returned for finished ones', async () => {
    service = await startService({ EXPIRES_AFTER: '1000' })
    const before = Date.now() - 1000
    const made = await create(service.url, { 'Upload-Length': '1000' })
    const url = locationOf(made, service.url)
    const first = expiresAt(made)
    expect(first).toBeGreaterThanOrEqual(before + 1_000_000)
    expect(first).toBeLessThanOrEqual(Date.now() + 1_000_000)
    expect(expiresAt(await head(url))).toBe(first)
    await until(async () => Date.now() > before + 3000)
    expect(expiresAt(await patch(url, 0, content.subarray(0, 10)))).toBeGreaterThan(first)
    expect(expiresAt(await head(url))).toBeGreaterThan(first)
    expect((await patch(url, 10, content.subarray(10))).headers.has('Upload-Expires')).toBe(false)
    expect((await head(url)).headers.has('Upload-Expires')).toBe(false)
  })

  it('is enforced: stale unfinished uploads expire, finished ones and those that receive bytes stay', async () => {
    service = await startService({ EXPIRES_AFTER: '1' })
    const stale = await createUpload(service.url, content.length)
    await patch(stale, 0, content.subarray(0, 10))
    const finished = await createUpload(service.url, content.length)
    await patch(finished, 0, content)
    const running = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    await beginPatch(wire, running, 0, content.length, content.subarray(0, 10))
    await reached(running, 10)
    await until(async () => (await head(stale)).status === 404)
    expect((await patch(stale, 10, content.subarray(10))).status).toBe(410)
    expect((await fetch(stale)).status).toBe(410)
    // It is reported as gone from the beginning of its removal.
    const incoming = path.join(service.dataDir, 'incoming')
    await until(async () => !(await readdir(incoming)).includes(idOf(stale)))
    await until(async () => (await readdir(path.join(service.dataDir, 'gone'))).includes(idOf(stale)))
    await expectNoBytes(service, stale)
    await wire.send(content.subarray(10))
    expect((await wire.answer()).status).toBe(204)
    await expectFile(service, running, content)
    await expectFile(service, finished, content)
  })

  it('is not advanced by a clock that is set forward', async () => {
    service = await startService({ EXPIRES_AFTER: '2' })
    const active = await createUpload(service.url, content.length)
    const idle = await createUpload(service.url, content.length)
    const now = Date.now.bind(Date)
    jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000)
    let offset = 0
    await until(async () => {
      expect((await patch(active, offset, content.subarray(offset, offset + 1))).status).toBe(204)
      offset += 1
      await new Promise((resolve) => setTimeout(resolve, 50))
      return (await head(idle)).status === 404
    })
    expect((await head(active)).headers.get('Upload-Offset')).toBe(String(offset))
  })
})
