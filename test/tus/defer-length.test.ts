import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence, expectToResume } from '../support/stored-uploads.ts'
import { create, head, locationOf, PATCH_HEADERS, patch, patchWith } from '../support/tus.ts'
import { connect, requestHead, until } from '../support/wire.ts'

describe('An upload of deferred length', () => {
  const content = bytesOf(1000)
  let service: TestService
  let url: string
  beforeEach(async () => {
    service = await startService({ MAX_SIZE: '5000' })
    const response = await create(service.url, { 'Upload-Defer-Length': '1' })
    expect(response.status).toBe(201)
    url = locationOf(response, service.url)
    expect((await patch(url, 0, content.subarray(0, 700))).status).toBe(204)
  })
  afterEach(() => service.close())

  const say = (length: string, offset: number, body?: Uint8Array<ArrayBuffer>): Promise<Response> =>
    patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': String(offset), 'Upload-Length': length }, body)

  async function expectUnknownLength(): Promise<void> {
    const reported = await head(url)
    expect(reported.status).toBe(200)
    expect(reported.headers.get('Upload-Defer-Length')).toBe('1')
    expect(reported.headers.has('Upload-Length')).toBe(false)
    expect((await fetch(url)).status).toBe(404)
  }

  it('is reported as such, and is no file', async () => {
    await expectUnknownLength()
    expect((await say('1000', 700)).status).toBe(204)
    await expectToResume(service, url, content, 700)
  })

  it('receives its length with the last bytes, and is finished', async () => {
    const response = await say('1000', 700, content.subarray(700))
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe('1000')
    await expectFile(service, url, content)
  })

  it('receives its length with an empty PATCH after the last bytes, and is finished', async () => {
    expect((await patch(url, 700, content.subarray(700))).status).toBe(204)
    await expectUnknownLength()
    const response = await say('1000', 1000)
    expect(response.status).toBe(204)
    expect(response.headers.get('Upload-Offset')).toBe('1000')
    expect((await head(url)).headers.get('Upload-Length')).toBe('1000')
    expect((await head(url)).headers.has('Upload-Defer-Length')).toBe(false)
    await expectFile(service, url, content)
  })

  it('receives its length in a PATCH in the middle', async () => {
    expect((await say('1000', 700, content.subarray(700, 800))).status).toBe(204)
    expect((await head(url)).headers.get('Upload-Length')).toBe('1000')
    await expectToResume(service, url, content, 800)
  })

  it('refuses a length below its offset', async () => {
    const response = await say('699', 700)
    expect(response.status).toBe(400)
    expectSentence(await response.text(), service)
    await expectUnknownLength()
    expect((await say('1000', 700)).status).toBe(204)
    await expectToResume(service, url, content, 700)
  })

  it('accepts the same length again, and refuses another', async () => {
    expect((await say('1000', 700)).status).toBe(204)
    expect((await say('1000', 700, content.subarray(700, 710))).status).toBe(204)
    for (const other of ['999', '1001', '5000']) {
      const response = await say(other, 710)
      expect(response.status).toBe(400)
      expectSentence(await response.text(), service)
    }
    await expectToResume(service, url, content, 710)
  })

  it('cannot change the length of an upload that was created with one', async () => {
    const known = locationOf(await create(service.url, { 'Upload-Length': '1000' }), service.url)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Length': '10' }
    const response = await patchWith(known, headers, content.subarray(0, 10))
    expect(response.status).toBe(400)
    expectSentence(await response.text(), service)
    await expectToResume(service, known, content, 0)
  })

  it('refuses a length above the largest size', async () => {
    const response = await say('5001', 700, content.subarray(700))
    expect(response.status).toBe(413)
    expectSentence(await response.text(), service)
    await expectUnknownLength()
    expect((await say('1000', 700)).status).toBe(204)
    await expectToResume(service, url, content, 700)
  })

  it.each(['-1', '1.5', '1e3', ' ', '99999999999999999999', '0x10'])('refuses Upload-Length: %j', async (length) => {
    const response = await say(length, 700, content.subarray(700))
    expect(response.status).toBe(400)
    expectSentence(await response.text(), service)
    await expectUnknownLength()
    expect((await say('1000', 700)).status).toBe(204)
    await expectToResume(service, url, content, 700)
  })

  it('is an empty file if its length is 0', async () => {
    const empty = locationOf(await create(service.url, { 'Upload-Defer-Length': '1' }), service.url)
    const response = await patchWith(empty, { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Length': '0' })
    expect(response.status).toBe(204)
    await expectFile(service, empty, Buffer.alloc(0))
  })

  it('still has no length after a restart', async () => {
    const path = new URL(url).pathname
    service = await service.restart()
    url = `${service.url}${path}`
    await expectUnknownLength()
    expect((await say('1000', 700)).status).toBe(204)
    await expectToResume(service, url, content, 700)
  })
})

describe('A length that arrives while an older request is silent', () => {
  it('does not wait for it: the older request is ended', async () => {
    const service = await startService()
    const created = await create(service.url, { 'Upload-Defer-Length': '1' })
    const url = locationOf(created, service.url)
    const older = await connect(service.url)
    await older.send(
      requestHead('PATCH', new URL(url).pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': 100 }),
      'hello',
    )
    await until(async () => (await head(url)).headers.get('Upload-Offset') === '5')
    const newer = await patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': '5', 'Upload-Length': '7' }, 'ab')
    expect(newer.status).toBe(204)
    expect((await older.answer()).status).toBe(409)
    expect(await (await fetch(url)).text()).toBe('helloab')
    await older.cut()
    await service.close()
  })
})
