import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import {
  append,
  beginAppend,
  createUpload,
  DRAFT,
  expectComplete,
  PARTIAL,
  received,
  stateOf,
} from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { bytesOnDisk, expectFile, expectSentence } from '../support/stored-uploads.ts'
import { codedPiece, connect, requestHead, urlIn } from '../support/wire.ts'

const content = bytesOf(1_200_000)
let service: TestService
beforeAll(async () => {
  service = await startService({ IDLE_TIMEOUT: '3000' })
})
afterAll(() => service.close())

/** Expects the upload to be at `offset`, to resume there, and to become the file. */
async function expectToResume(url: string, offset: number) {
  expect(await stateOf(url)).toEqual([String(offset), '?0'])
  expect(await bytesOnDisk(service, url)).toBe(offset)
  expectComplete(await append(url, offset, true, content.subarray(offset)))
  await expectFile(service, url, content)
}

describe('An append whose connection breaks', () => {
  it.each([0, 1, 1000, 16_384, 65_536, 65_537, 1_048_576, 1_199_999])(
    'after %d bytes keeps every one of them, and does not complete the upload',
    async (sent) => {
      const url = await createUpload(service.url)
      const wire = await beginAppend(url, 0, true, content.length, content.subarray(0, sent))
      await received(url, sent)
      await wire.cut()
      await expectToResume(url, sent)
    },
  )

  it.each([1, 70_000])('with a reset after %d bytes keeps those that arrived', async (sent) => {
    const url = await createUpload(service.url)
    const wire = await beginAppend(url, 0, true, content.length, content.subarray(0, sent))
    await received(url, sent)
    await wire.reset()
    await expectToResume(url, sent)
  })

  it('keeps its bytes in the middle of a chunk of the transfer coding, and exactly after one', async () => {
    const url = await createUpload(service.url)
    const fields = { ...DRAFT, 'Content-Type': PARTIAL, 'Upload-Complete': '?1', 'Transfer-Encoding': 'chunked' }
    let offset = 0
    for (const [piece, kept] of [
      [codedPiece(content.subarray(0, 6000)).subarray(0, 2000), 2000 - '1770\r\n'.length],
      [codedPiece(content.subarray(1994, 5000)), 3006],
    ] as const) {
      const wire = await connect(service.url)
      await wire.send(requestHead('PATCH', new URL(url).pathname, { ...fields, 'Upload-Offset': offset }), piece)
      offset += kept
      await received(url, offset)
      await wire.cut()
      expect(await stateOf(url)).toEqual([String(offset), '?0'])
    }
    await expectToResume(url, 5000)
  })

  it('keeps none of its bytes if it has a Content-Digest', async () => {
    const url = await createUpload(service.url, content.subarray(0, 10))
    const digest = { 'Content-Digest': 'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:' }
    const wire = await beginAppend(url, 10, true, content.length - 10, content.subarray(10, 500_000), digest)
    await wire.cut()
    expect(await stateOf(url)).toEqual(['10', '?0'])
    expectComplete(await append(url, 10, true, content.subarray(10)))
    await expectFile(service, url, content)
  })
})

describe('A creation whose connection breaks', () => {
  it.each([
    ['Content-Length', 0],
    ['Content-Length', 1],
    ['Content-Length', 100_000],
    ['Content-Length', 1_199_999],
    ['chunks', 0],
    ['chunks', 100_000],
    ['chunks', 1_200_000],
  ])('with %s, after %d bytes, keeps them', async (how, sent) => {
    const wire = await connect(service.url)
    const chunked = how === 'chunks'
    const size = chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': content.length }
    await wire.send(requestHead('POST', '/files', { ...DRAFT, 'Upload-Complete': '?1', ...size }))
    const url = urlIn(await wire.next(), service.url)
    if (sent > 0) await wire.send(chunked ? codedPiece(content.subarray(0, sent)) : content.subarray(0, sent))
    await received(url, sent)
    await wire.cut()
    await expectToResume(url, sent)
  })
})

describe('An append that stalls', () => {
  it('is ended after IDLE_TIMEOUT with a response, and its bytes are kept', async () => {
    const url = await createUpload(service.url)
    const wire = await beginAppend(url, 0, true, content.length, content.subarray(0, 4000))
    const answer = await wire.answer()
    expect([answer.status, answer.headers.get('Upload-Offset')]).toEqual([408, '4000'])
    expect(answer.headers.get('Upload-Complete')).toBe('?0')
    expectSentence(JSON.parse(answer.body).detail, service)
    await wire.closed
    await expectToResume(url, 4000)
  })
})
