import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { bytesOnDisk, expectFile, expectSentence, expectToResume } from '../support/stored-uploads.ts'
import { beginPatch, createUpload, offsetOf, PATCH_HEADERS, patch, reached } from '../support/tus.ts'
import { codedPiece, connect, requestHead } from '../support/wire.ts'

let service: TestService
afterEach(() => service.close())

describe('A PATCH whose connection breaks', () => {
  const content = bytesOf(6_000_000)
  let url: string
  beforeEach(async () => {
    service = await startService()
    url = await createUpload(service.url, content.length)
  })

  it.each([0, 1, 1000, 16_384, 65_536, 65_537, 1_048_576, 4_194_304, 5_000_001])(
    'after %d bytes keeps every one of them',
    async (sent) => {
      const wire = await connect(service.url)
      await beginPatch(wire, url, 0, content.length, content.subarray(0, sent))
      await wire.cut()
      await reached(url, sent)
      expect(await bytesOnDisk(service, url)).toBe(sent)
      await expectToResume(service, url, content, sent)
    },
  )

  it.each([1, 70_000, 2_500_000])('with a reset after %d bytes keeps those that arrived', async (sent) => {
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, sent))
    await reached(url, sent)
    await wire.reset()
    expect(await offsetOf(url)).toBe(sent)
    await expectToResume(service, url, content, sent)
  })

  it('in the middle of a piece of the chunked transfer coding keeps its bytes', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    await wire.send(
      requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' }),
      codedPiece(content.subarray(0, 3000)),
      codedPiece(content.subarray(3000, 9000)).subarray(0, 2000),
    )
    await reached(url, 3000 + 2000 - '1770\r\n'.length)
    await wire.cut()
    await expectToResume(service, url, content, 4994)
  })

  it('repeatedly advances by a few bytes each time', async () => {
    let offset = 0
    for (const more of [1, 10, 1000, 100_000, 0, 1_000_000]) {
      const wire = await connect(service.url)
      await beginPatch(wire, url, offset, content.length - offset, content.subarray(offset, offset + more))
      await wire.cut()
      offset += more
      await reached(url, offset)
    }
    await expectToResume(service, url, content, 1_101_011)
  })

  it('silently is replaced at once by a newer PATCH, and receives an error', async () => {
    const older = await connect(service.url)
    await beginPatch(older, url, 0, content.length, content.subarray(0, 2_000_000))
    await reached(url, 2_000_000)
    const newer = await patch(url, 2_000_000, content.subarray(2_000_000))
    expect(newer.status).toBe(204)
    const answer = await older.answer()
    expect(answer.status).toBe(409)
    expectSentence(answer.body, service)
    await older.closed
    await expectFile(service, url, content)
  })

  it('silently does not keep a newer PATCH at a stale offset from receiving the right one', async () => {
    const older = await connect(service.url)
    await beginPatch(older, url, 0, content.length, content.subarray(0, 1000))
    await reached(url, 1000)
    const stale = await patch(url, 500, content.subarray(500))
    expect(stale.status).toBe(409)
    expect(stale.headers.get('Upload-Offset')).toBe('1000')
    expect((await older.answer()).status).toBe(409)
    await older.closed
    await expectToResume(service, url, content, 1000)
  })

  it('is replaced by many newer ones in turn, and every byte of all of them counts', async () => {
    const wires = []
    for (let offset = 0; offset < 5000; offset += 1000) {
      const wire = await connect(service.url)
      wires.push(wire)
      await beginPatch(wire, url, offset, content.length - offset, content.subarray(offset, offset + 1000))
      await reached(url, offset + 1000)
    }
    const last = wires.pop()
    for (const wire of wires) {
      expect((await wire.answer()).status).toBe(409)
      await wire.closed
    }
    await last?.send(content.subarray(5000))
    expect((await last?.answer())?.status).toBe(204)
    await last?.cut()
    await expectFile(service, url, content)
  })
})

describe('A slow PATCH', () => {
  const content = bytesOf(10_000)

  it('that stalls is ended after IDLE_TIMEOUT, with its bytes kept and the connection closed', async () => {
    service = await startService({ IDLE_TIMEOUT: '300' })
    const url = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 4000))
    const answer = await wire.answer()
    expect(answer.status).toBe(408)
    expect(answer.headers.get('Upload-Offset')).toBe('4000')
    expectSentence(answer.body, service)
    await wire.closed
    await expectToResume(service, url, content, 4000)
  })

  it('that never sends a byte is ended after IDLE_TIMEOUT', async () => {
    service = await startService({ IDLE_TIMEOUT: '300' })
    const url = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, Buffer.alloc(0))
    expect((await wire.answer()).status).toBe(408)
    await wire.closed
    await expectToResume(service, url, content, 0)
  })

  it('that is steady is not ended, even if it takes longer than IDLE_TIMEOUT', async () => {
    service = await startService({ IDLE_TIMEOUT: '1000' })
    const url = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, Buffer.alloc(0))
    for (let offset = 0; offset < content.length; offset += 400) {
      await wire.send(content.subarray(offset, offset + 400))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const answer = await wire.answer()
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Upload-Offset')).toBe('10000')
    await wire.cut()
    await expectFile(service, url, content)
  })
})
