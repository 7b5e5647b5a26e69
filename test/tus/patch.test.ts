import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence, expectToResume } from '../support/stored-uploads.ts'
import { beginPatch, createUpload, offsetOf, PATCH_HEADERS, patch, patchWith, reached, TUS } from '../support/tus.ts'
import { codedPiece, connect, requestHead } from '../support/wire.ts'

describe('PATCH', () => {
  const content = bytesOf(10_000)
  let service: TestService
  let url: string
  beforeEach(async () => {
    service = await startService()
    url = await createUpload(service.url, content.length)
  })
  afterEach(() => service.close())

  it('accepts a file in one piece', async () => {
    const response = await patch(url, 0, content)
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe('10000')
    expect(response.headers.get('Tus-Resumable')).toBe('1.0.0')
    expect(await response.text()).toBe('')
    await expectFile(service, url, content)
  })

  it('accepts a file in many pieces, some of them empty', async () => {
    let offset = 0
    for (const length of [1, 0, 2, 4095, 4096, 0, 1000, 806]) {
      const response = await patch(url, offset, content.subarray(offset, offset + length))
      expect(response.status).toBe(204)
      offset += length
      expect(response.headers.get('Upload-Offset')).toBe(String(offset))
      expect(await offsetOf(url)).toBe(offset)
    }
    await expectFile(service, url, content)
  })

  it('accepts a large file in pieces of odd sizes', async () => {
    const large = bytesOf(12_345_678, 3)
    const other = await createUpload(service.url, large.length)
    for (let offset = 0; offset < large.length; offset += 5_000_001) {
      expect((await patch(other, offset, large.subarray(offset, offset + 5_000_001))).status).toBe(204)
    }
    await expectFile(service, other, large)
  })

  it('accepts the chunked transfer coding', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    await wire.send(
      requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' }),
    )
    await wire.send(codedPiece(content.subarray(0, 3000)))
    await reached(url, 3000)
    await wire.send(codedPiece(content.subarray(3000)), codedPiece(Buffer.alloc(0)))
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Upload-Offset')).toBe('10000')
    await expectFile(service, url, content)
  })

  it.each([0, 99, 101, 5000, 10_000, 10_001, Number.MAX_SAFE_INTEGER])(
    'refuses bytes at %d when the offset is 100, and returns that',
    async (offset) => {
      expect((await patch(url, 0, content.subarray(0, 100))).status).toBe(204)
      const response = await patch(url, offset, bytesOf(50, 9))
      expect(response.status).toBe(409)
      expect(response.headers.get('Upload-Offset')).toBe('100')
      expectSentence(await response.text(), service)
      await expectToResume(service, url, content, 100)
    },
  )

  it.each(['-1', '1.5', '1e3', ' ', '99999999999999999999', '0x10', '', '0,0', '9007199254740992'])(
    'refuses Upload-Offset: %j',
    async (offset) => {
      const response = await patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': offset }, content)
      expect(response.status).toBe(400)
      const sentence = await response.text()
      expect(sentence).toContain('Upload-Offset')
      expectSentence(sentence, service)
      await expectToResume(service, url, content, 0)
    },
  )

  it('refuses bytes without Upload-Offset', async () => {
    const response = await patchWith(url, PATCH_HEADERS, content)
    expect(response.status).toBe(400)
    expectSentence(await response.text(), service)
    await expectToResume(service, url, content, 0)
  })

  it.each(['application/octet-stream', 'text/plain', 'multipart/form-data; boundary=x', ''])(
    'refuses the Content-Type %j',
    async (type) => {
      const response = await patchWith(url, { ...TUS, 'Upload-Offset': '0', 'Content-Type': type }, content)
      expect(response.status).toBe(415)
      expectSentence(await response.text(), service)
      await expectToResume(service, url, content, 0)
    },
  )

  it('accepts the Content-Type in any case and with a parameter', async () => {
    const type = 'Application/Offset+Octet-Stream; charset=binary'
    const response = await patchWith(url, { ...TUS, 'Upload-Offset': '0', 'Content-Type': type }, content)
    expect(response.status).toBe(204)
    await expectFile(service, url, content)
  })

  it('refuses a body whose announced length exceeds the missing bytes, before a byte of it counts', async () => {
    expect((await patch(url, 0, content.subarray(0, 100))).status).toBe(204)
    const response = await patch(url, 100, bytesOf(9_901, 9))
    expect(response.status).toBe(413)
    expect(response.headers.get('Upload-Offset')).toBe('100')
    expectSentence(await response.text(), service)
    await expectToResume(service, url, content, 100)
  })

  it('lets a client see the refusal of a body of many megabytes', async () => {
    const response = await patch(url, 0, bytesOf(40_000_000))
    expect(response.status).toBe(413)
    await expectToResume(service, url, content, 0)
  })

  it('keeps the bytes that fit of a longer body in the chunked transfer coding', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    await wire.send(
      requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' }),
      codedPiece(content),
      codedPiece(bytesOf(5000, 9)),
      codedPiece(Buffer.alloc(0)),
    )
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(413)
    expectSentence(answer.body, service)
    await expectToResume(service, url, content, content.length)
  })

  it('refuses bytes beyond the end of a finished file, which stays unchanged', async () => {
    await patch(url, 0, content)
    expect((await patch(url, content.length, bytesOf(1))).status).toBe(413)
    expect((await patch(url, 0, bytesOf(10_000, 9))).status).toBe(409)
    const empty = await patch(url, content.length, bytesOf(0))
    expect(empty.status).toBe(204)
    expect(empty.headers.get('Upload-Offset')).toBe('10000')
    await expectFile(service, url, content)
  })

  it.each(['-1', '1.5', 'x', '99999999999999999999'])('refuses Content-Length: %j', async (length) => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    await wire.send(
      requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': length }),
      content,
    )
    const answer = await wire.answer()
    await wire.cut()
    expect([400, 413]).toContain(answer.status)
    expect(answer.body).not.toContain(service.dataDir)
    await expectToResume(service, url, content, 0)
  })

  it('aborts a malformed chunked body, and keeps the bytes before the fault', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    await wire.send(
      requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' }),
      codedPiece(content.subarray(0, 500)),
    )
    await reached(url, 500)
    await wire.send('zzz\r\n')
    await wire.closed
    await expectToResume(service, url, content, 500)
  })

  it('accepts one of two requests that begin at the same moment, and mixes nothing', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => patch(url, 0, content)))
    expect(answers.every(({ status }) => status === 204 || status === 409)).toBe(true)
    expect(answers.some(({ status }) => status === 204)).toBe(true)
    await expectToResume(service, url, content, content.length)
  })

  it('answers two pipelined requests one after the other', async () => {
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, 6000, content.subarray(0, 6000))
    expect((await wire.answer()).status).toBe(204)
    await beginPatch(wire, url, 6000, 4000, content.subarray(6000))
    expect((await wire.answer()).status).toBe(204)
    await wire.cut()
    await expectFile(service, url, content)
  })
})
