import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { bytesOnDisk, expectFile, expectSentence } from '../support/stored-uploads.ts'
import {
  create,
  createUpload,
  head,
  idOf,
  locationOf,
  offsetOf,
  PATCH_HEADERS,
  patch,
  patchWith,
  TUS,
} from '../support/tus.ts'
import { codedPiece, connect, requestHead, until } from '../support/wire.ts'

const content = bytesOf(3_000_000)
const wrong = bytesOf(3_000_000, 2)
let service: TestService
let url: string

beforeEach(async () => {
  service = await startService()
  url = await createUpload(service.url, content.length)
})
afterEach(() => service.close())

function checksumOf(bytes: Uint8Array, algorithm = 'sha1'): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`
}

function checked(offset: number, body: Buffer<ArrayBuffer>, checksum: string): Promise<Response> {
  return patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': String(offset), 'Upload-Checksum': checksum }, body)
}

describe('Upload-Checksum', () => {
  it.each(['sha1', 'sha256', 'md5'])('accepts bytes that match their %s', async (algorithm) => {
    const first = content.subarray(0, 1_234_567)
    const rest = content.subarray(1_234_567)
    expect((await checked(0, first, checksumOf(first, algorithm))).headers.get('Upload-Offset')).toBe('1234567')
    expect((await checked(1_234_567, rest, checksumOf(rest, algorithm))).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('returns 460 if it does not match, and offset and bytes stay', async () => {
    await patch(url, 0, content.subarray(0, 1000))
    const response = await checked(1000, wrong.subarray(1000), checksumOf(content.subarray(1000)))
    expect(response.status).toBe(460)
    expect(response.headers.get('Upload-Offset')).toBe('1000')
    expectSentence(await response.text(), service)
    expect(await offsetOf(url)).toBe(1000)
    service = await service.restart()
    url = `${service.url}/files/${idOf(url)}`
    expect(await offsetOf(url)).toBe(1000)
    expect((await patch(url, 1000, content.subarray(1000))).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('is verified for the first bytes in a creation, too', async () => {
    const headers = { 'Upload-Length': '3000000', 'Content-Type': PATCH_HEADERS['Content-Type'] }
    const refused = await create(service.url, { ...headers, 'Upload-Checksum': checksumOf(content) }, wrong)
    expect(refused.status).toBe(460)
    const made = await create(service.url, { ...headers, 'Upload-Checksum': checksumOf(content) }, content)
    expect(made.status).toBe(201)
    await expectFile(service, locationOf(made, service.url), content)
  })

  it.each([
    ['upper case', (value: string) => value.replace('sha1', 'SHA1')],
    ['mixed case', (value: string) => value.replace('sha1', 'Sha1')],
    ['more spaces', (value: string) => value.replace(' ', '   ')],
    ['a tab', (value: string) => value.replace(' ', '\t')],
    ['no padding', (value: string) => value.replace(/=+$/, '')],
  ])('may have %s', async (_, changed) => {
    expect((await checked(0, wrong, changed(checksumOf(content)))).status).toBe(460)
    expect((await checked(0, content, changed(checksumOf(content)))).status).toBe(204)
    await expectFile(service, url, content)
  })

  it.each(['crc32 AAAA', 'sha1', 'sha1 ', 'sha1 not*base64', 'sha1 AAAA BBBB', ' '])(
    'returns 400 if it is unknown (%s), and no byte counts',
    async (checksum) => {
      const response = await checked(0, content, checksum)
      // A header of blanks arrives as an empty one.
      expect(response.status).toBe(400)
      expectSentence(await response.text(), service)
      expect(await offsetOf(url)).toBe(0)
    },
  )

  it('accepts no byte of a truncated body, and other bytes may follow', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': wrong.length }
    await wire.send(
      requestHead('PATCH', pathname, { ...headers, 'Upload-Checksum': checksumOf(wrong) }),
      wrong.subarray(0, 2_000_000),
    )
    await until(async () => (await bytesOnDisk(service, url)) > 0)
    await wire.cut()
    expect((await patch(url, 0, content)).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('does not keep a newer request from replacing an older one', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    await wire.send(
      requestHead('PATCH', pathname, {
        ...PATCH_HEADERS,
        'Upload-Offset': 0,
        'Content-Length': wrong.length,
        'Upload-Checksum': checksumOf(wrong),
      }),
      wrong.subarray(0, 100_000),
    )
    await until(async () => (await bytesOnDisk(service, url)) > 0)
    expect(await offsetOf(url)).toBe(0)
    expect((await checked(0, content, checksumOf(content))).status).toBe(204)
    await expectFile(service, url, content)
    await wire.cut()
  })

  it('does no harm by refused bytes beyond a length that is stated later', async () => {
    const made = await create(service.url, { 'Upload-Defer-Length': '1' })
    url = locationOf(made, service.url)
    expect((await checked(0, wrong, checksumOf(content))).status).toBe(460)
    const short = content.subarray(0, 500)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Length': '500' }
    expect((await patchWith(url, headers, short)).status).toBe(204)
    await expectFile(service, url, short)
  })
})

describe('Upload-Checksum as a trailer', () => {
  async function sendWithTrailer(trailer: string, announced = 'Upload-Checksum', body = content, more = {}) {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    const headers = { ...TUS, ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked', ...more }
    await wire.send(
      requestHead('PATCH', pathname, announced === '' ? headers : { ...headers, Trailer: announced }),
      codedPiece(body.subarray(0, 1_000_000)),
      codedPiece(body.subarray(1_000_000)),
      `0\r\n${trailer}\r\n`,
    )
    const answer = await wire.answer()
    await wire.cut()
    return answer
  }

  it.each(['sha1', 'sha256', 'md5'])('accepts bytes that match their %s', async (algorithm) => {
    expect((await sendWithTrailer(`Upload-Checksum: ${checksumOf(content, algorithm)}\r\n`)).status).toBe(204)
    await expectFile(service, url, content)
  })

  it.each([
    [460, `Upload-Checksum: ${checksumOf(wrong)}\r\n`],
    [400, ''],
    [400, 'Upload-Checksum: crc32 AAAA\r\n'],
  ])('returns %d for "%s", and no byte counts', async (status, trailer) => {
    expect((await sendWithTrailer(trailer)).status).toBe(status)
    expect((await head(url)).headers.get('Upload-Offset')).toBe('0')
    expect((await patch(url, 0, content)).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('is found among other trailers, and overridden by a header', async () => {
    const trailer = `X-Other: 1\r\nUpload-Checksum: ${checksumOf(wrong)}\r\n`
    expect((await sendWithTrailer(trailer, 'x-other, upload-checksum')).status).toBe(460)
    const header = { 'Upload-Checksum': checksumOf(content) }
    expect((await sendWithTrailer(trailer, 'x-other, upload-checksum', content, header)).status).toBe(204)
    await expectFile(service, url, content)
  })
})
