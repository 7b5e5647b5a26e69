import { describe, expect, it } from '@jest/globals'
import { codedPiece, connect } from '../../support/wire.ts'
import {
  append,
  appendHead,
  beginAppend,
  create,
  expectClientError,
  HELLO,
  head,
  PARTIAL,
  PROBLEM,
  request,
  stateOf,
} from './server.ts'

const SIZE = HELLO.length

describe('upload append', () => {
  it('"If the Upload-Complete request header field is set to false … a 2xx (Successful) response with the Upload-Complete header field set to false"', async () => {
    const url = await create()
    for (const [offset, byte] of [...HELLO].entries()) {
      const { status, headers } = await append(url, offset, false, Buffer.from([byte]))
      expect([status, headers.get('Upload-Complete')]).toEqual([204, '?0'])
    }
    expect(await stateOf(url)).toEqual([String(SIZE), '?0'])
  })

  it('"the request has content that is the end of the representation data. Once the content is fully processed by the server, the upload is complete"', async () => {
    const url = await create(HELLO.subarray(0, 5))
    const { ok, headers } = await append(url, 5, true, HELLO.subarray(5))
    expect([ok, headers.get('Upload-Complete')]).toEqual([true, '?1'])
  })

  it('"the request has no content. Once the request is processed by the server, the upload is complete"', async () => {
    const url = await create(HELLO)
    const { ok, headers } = await append(url, SIZE, true)
    expect([ok, headers.get('Upload-Complete')]).toEqual([true, '?1'])
  })

  it('an append without content, and without the end, changes nothing', async () => {
    const url = await create(HELLO)
    expect((await append(url, SIZE, false)).status).toBe(204)
    expect(await stateOf(url)).toEqual([String(SIZE), '?0'])
  })

  it('"sending a PATCH request with the application/partial-upload media type": others are refused', async () => {
    const url = await create()
    for (const type of ['text/plain', 'application/octet-stream', 'application/offset+octet-stream']) {
      const response = await append(url, 0, false, HELLO, { 'Content-Type': type })
      expect(response.status).toBe(415)
      expect(response.headers.get('Upload-Complete')).toBe('?0')
    }
    expect(await stateOf(url)).toEqual(['0', '?0'])
  })

  it('the media type may have parameters and any case (RFC 9110 §8.3.1)', async () => {
    const url = await create()
    const type = { 'Content-Type': 'Application/Partial-Upload; x=y' }
    expect((await append(url, 0, false, HELLO, type)).status).toBe(204)
  })

  it.each([0, 3, 6, 1_000_000])(
    '"does not match the current offset … MUST reject the request with a 409 (Conflict) … and the Upload-Complete header field set to false", "MUST include the correct offset": %d',
    async (offset) => {
      const url = await create(HELLO.subarray(0, 5))
      const response = await append(url, offset, false, Buffer.from('x'))
      expect(response.status).toBe(409)
      expect(response.headers.get('Upload-Complete')).toBe('?0')
      expect(response.headers.get('Upload-Offset')).toBe('5')
      expect(response.headers.get('Content-Type')).toMatch(/^application\/problem\+json/)
      expect(await response.json()).toMatchObject({
        type: `${PROBLEM}mismatching-upload-offset`,
        'expected-offset': 5,
        'provided-offset': offset,
      })
      expect(await stateOf(url)).toEqual(['5', '?0'])
    },
  )

  it('"The request MUST include the Upload-Complete header field", "by including the Upload-Offset header field": a PATCH without them is refused', async () => {
    const url = await create()
    const type = { 'Content-Type': PARTIAL }
    expectClientError(await request('PATCH', url, { ...type, 'Upload-Offset': '0' }, HELLO))
    expectClientError(await request('PATCH', url, { ...type, 'Upload-Complete': '?0' }, HELLO))
    expect(await stateOf(url)).toEqual(['0', '?0'])
  })

  it.each(['-1', '0.0', '"0"', '?0', '0, 0', '(0)', '', 'zero', '0x0', '00000000000000000'])(
    '"[Upload-Offset] is a non-negative Integer. Other values MUST cause the entire header field to be ignored": %s',
    async (value) => {
      const url = await create()
      expectClientError(await append(url, 0, false, HELLO, { 'Upload-Offset': value }))
      expect(await stateOf(url)).toEqual(['0', '?0'])
    },
  )

  it('"Upload-Offset is an Item Structured Header Field": its parameters are ignored', async () => {
    const url = await create()
    expect((await append(url, 0, false, HELLO, { 'Upload-Offset': '0;foo=bar' })).status).toBe(204)
  })

  it('"the server SHOULD append as much of the patch document as possible": the bytes before a cut count', async () => {
    const url = await create()
    const wire = await beginAppend(url, 0, 1000, HELLO)
    await wire.cut()
    const [offset, complete] = await stateOf(url)
    expect(complete).toBe('?0')
    expect((await append(url, Number(offset), true, Buffer.from('!'))).headers.get('Upload-Complete')).toBe('?1')
  })
})

describe('a complete upload', () => {
  async function completed(): Promise<string> {
    const url = await create()
    expect((await append(url, 0, true, HELLO)).headers.get('Upload-Complete')).toBe('?1')
    return url
  }

  it('"After this point, no more representation data can be appended"', async () => {
    const url = await completed()
    for (const complete of [false, true]) {
      expectClientError(await append(url, SIZE, complete, Buffer.from('more')))
      expectClientError(await append(url, 0, complete, HELLO))
    }
    const { status, headers } = await head(url)
    if (status < 300) expect(headers.get('Upload-Offset')).toBe(String(SIZE))
  })

  it('an append with a chunked body is refused, too', async () => {
    const url = await completed()
    const wire = await connect(url)
    await wire.send(appendHead(url, SIZE, true), codedPiece(Buffer.from('more')), codedPiece(Buffer.alloc(0)))
    const answer = await wire.answer()
    await wire.cut()
    expectClientError(answer)
    expect(answer.headers.get('Upload-Complete')).toBe('?0')
  })

  it('"The server can choose to replay the final response to the client if the request to append to the completed upload is valid"', async () => {
    const url = await create()
    const first = await append(url, 0, true, HELLO)
    const again = await append(url, SIZE, true)
    if (!again.ok) return expectClientError(again)
    expect(again.status).toBe(first.status)
    expect(again.headers.get('Upload-Complete')).toBe('?1')
    expect(again.headers.get('Location')).toBe(first.headers.get('Location'))
  })

  it('"Upload-Complete can be false in response to an invalid operation performed on a completed upload"', async () => {
    const response = await append(await completed(), 3, true)
    expectClientError(response)
    expect(response.headers.get('Upload-Complete')).toBe('?0')
  })
})
