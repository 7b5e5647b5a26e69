import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import {
  append,
  ask,
  beginAppend,
  connectWell,
  createUpload,
  DRAFT,
  expectComplete,
  received,
  stateOf,
} from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectNoBytes } from '../support/stored-uploads.ts'
import { connect, requestHead, urlIn } from '../support/wire.ts'

const content = bytesOf(3_000_000)
let service: TestService
afterEach(() => service.close())

describe('Offset retrieval during an append', () => {
  it('ends it, and returns the offset that the append receives, too', async () => {
    service = await startService()
    const url = await createUpload(service.url)
    const older = await beginAppend(url, 0, true, content.length, content.subarray(0, 1_000_000))
    await received(url, 1_000_000)
    expect(await stateOf(url)).toEqual(['1000000', '?0'])
    const answer = await older.answer()
    expect([answer.status, answer.headers.get('Upload-Offset')]).toEqual([409, '1000000'])
    await older.closed
    expectComplete(await append(url, 1_000_000, true, content.subarray(1_000_000)))
    await expectFile(service, url, content)
  })

  it('ends it also before its first byte, while it states the length', async () => {
    service = await startService()
    for (let i = 0; i < 20; i++) {
      const url = await createUpload(service.url)
      const [sending, asking] = [await connectWell(service.url), await connectWell(service.url)]
      const length = { 'Upload-Length': '5000' }
      const older = await beginAppend(url, 0, false, 1000, content.subarray(0, 500), length, sending)
      await asking.send(requestHead('HEAD', new URL(url).pathname, DRAFT))
      const reported = await asking.answer('HEAD')
      const offset = Number(reported.headers.get('Upload-Offset'))
      await older.send(content.subarray(500, 800))
      const next = await append(url, offset, true, content.subarray(offset, 5000))
      expectComplete(next)
      await expectFile(service, url, content.subarray(0, 5000))
      await older.cut()
      await asking.cut()
    }
  })

  it('ends it also when both are the first requests after a start', async () => {
    service = await startService()
    let url = await createUpload(service.url)
    for (let i = 0; i < 5; i++) {
      const { pathname } = new URL(url)
      service = await service.restart()
      url = `${service.url}${pathname}`
      const [sending, asking] = [await connectWell(service.url), await connectWell(service.url)]
      const known = i * 10
      const older = await beginAppend(url, known, false, 100, content.subarray(known, known + 10), {}, sending)
      await asking.send(requestHead('HEAD', pathname, DRAFT))
      const offset = Number((await asking.answer('HEAD')).headers.get('Upload-Offset'))
      expect((await append(url, offset, false, content.subarray(offset, known + 10))).status).toBe(204)
      await older.cut()
      await asking.cut()
    }
    expectComplete(await append(url, 50, true))
    await expectFile(service, url, content.subarray(0, 50))
  })

  it('waits for an append whose bytes have all arrived, which completes the upload', async () => {
    service = await startService()
    for (let i = 0; i < 20; i++) {
      const url = await createUpload(service.url)
      const older = await beginAppend(url, 0, true, 1000, content.subarray(0, 999))
      await received(url, 999)
      await older.send(content.subarray(999, 1000))
      const [offset, complete] = await stateOf(url)
      const answer = await older.answer()
      if (complete === '?1') expectComplete(answer)
      else expect(answer.status).toBe(409)
      expectComplete(await append(url, Number(offset), true, content.subarray(Number(offset), 1000)))
      await expectFile(service, url, content.subarray(0, 1000))
      await older.cut()
    }
  })
})

describe('An append during another one', () => {
  it('ends the other one, and every byte of both counts', async () => {
    service = await startService()
    const url = await createUpload(service.url)
    const wires = []
    for (let offset = 0; offset < 5000; offset += 1000) {
      wires.push(await beginAppend(url, offset, true, content.length - offset, content.subarray(offset, offset + 1000)))
      await received(url, offset + 1000)
    }
    const last = wires.pop()
    for (const wire of wires) {
      expect((await wire.answer()).status).toBe(409)
      await wire.closed
    }
    await last?.send(content.subarray(5000))
    expectComplete((await last?.answer()) ?? { status: 0, headers: new Headers() })
    await last?.cut()
    await expectFile(service, url, content)
  })

  it('ends a creation, whose response names the upload all the same', async () => {
    service = await startService()
    const older = await connect(service.url)
    const fields = { ...DRAFT, 'Upload-Complete': '?1', 'Content-Length': content.length }
    await older.send(requestHead('POST', '/files', fields), content.subarray(0, 1000))
    const url = urlIn(await older.next(), service.url)
    await received(url, 1000)
    expectComplete(await append(url, 1000, true, content.subarray(1000)))
    const answer = await older.answer()
    expect(answer.status).toBe(409)
    expect(urlIn(answer, service.url)).toBe(url)
    await older.closed
    await expectFile(service, url, content)
  })
})

describe('Concurrent appends at one offset', () => {
  it('count once: one succeeds, and the file holds its bytes', async () => {
    service = await startService()
    const bodies = [1, 2, 3, 4].map((seed) => bytesOf(1000 * seed, seed))
    for (let i = 0; i < 10; i++) {
      const url = await createUpload(service.url)
      const statuses = await Promise.all(bodies.map(async (body) => (await append(url, 0, false, body)).status))
      const [taken, ...others] = bodies.filter((_, at) => statuses[at] === 204)
      expect([taken, others]).toEqual([expect.any(Buffer), []])
      expectComplete(await append(url, taken?.length ?? 0, true, content.subarray(0, 500)))
      await expectFile(service, url, Buffer.concat([taken ?? Buffer.alloc(0), content.subarray(0, 500)]))
    }
  })
})

describe('DELETE', () => {
  it('ends a running append before its response, and leaves nothing of it', async () => {
    service = await startService()
    const url = await createUpload(service.url)
    const running = await beginAppend(url, 0, true, content.length, content.subarray(0, 1_000_000))
    await received(url, 1_000_000)
    expect((await ask('DELETE', url)).status).toBe(204)
    await expectNoBytes(service, url)
    expect((await running.answer()).status).toBe(410)
    await running.cut()
    for (const method of ['HEAD', 'GET', 'DELETE']) expect((await ask(method, url)).status).toBe(410)
    expect((await append(url, 0, true, content)).status).toBe(410)
  })

  it('refuses to delete a finished file', async () => {
    service = await startService()
    const url = await createUpload(service.url)
    expectComplete(await append(url, 0, true, content))
    const response = await ask('DELETE', url)
    expect(response.status).toBe(400)
    expect(response.headers.get('Content-Type')).toMatch(/^application\/problem\+json/)
    expect(await response.json()).toMatchObject({ code: 'already_complete', status: 400 })
    await expectFile(service, url, content)
  })

  it('during the last bytes deletes the upload, or reports that the file is finished', async () => {
    service = await startService()
    for (let i = 0; i < 20; i++) {
      const url = await createUpload(service.url)
      const running = await beginAppend(url, 0, true, 1000, content.subarray(0, 999))
      await received(url, 999)
      const deleting = ask('DELETE', url)
      await running.send(content.subarray(999, 1000))
      const [{ status }, answer] = await Promise.all([deleting, running.answer()])
      await running.cut()
      expect([
        [204, 410],
        [400, 201],
      ]).toContainEqual([status, answer.status])
      if (status === 204) await expectNoBytes(service, url)
      else await expectFile(service, url, content.subarray(0, 1000))
    }
  })
})
