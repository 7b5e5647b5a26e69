import { describe, expect, it } from '@jest/globals'
import { codedPiece, connect, requestHead } from '../../support/wire.ts'
import {
  append,
  appendHead,
  create,
  creationHead,
  DRAFT,
  endpoint,
  expectClientError,
  HELLO,
  head,
  locationOf,
  PARTIAL,
  PROBLEM,
  post,
  stateOf,
} from './server.ts'

const SIZE = String(HELLO.length)
const lengthOf = async (url: string): Promise<string | null> => (await head(url)).headers.get('Upload-Length')

async function expectInconsistent(response: Response) {
  expect(response.status).toBe(400)
  expect(response.headers.get('Upload-Complete')).toBe('?0')
  expect(response.headers.get('Content-Type')).toMatch(/^application\/problem\+json/)
  expect(await response.json()).toMatchObject({ type: `${PROBLEM}inconsistent-upload-length` })
}

describe('"The server MUST record the length … if the Upload-Length or Upload-Complete: ?1 header fields are included"', () => {
  it('Upload-Length of a creation', async () => {
    expect(await lengthOf(await create(HELLO.subarray(0, 5), { 'Upload-Length': SIZE }))).toBe(SIZE)
  })

  it('Content-Length and Upload-Complete: ?1 of a creation that is cut', async () => {
    const wire = await connect(endpoint)
    await wire.send(creationHead({ ...DRAFT, 'Upload-Complete': '?1', 'Content-Length': 100 }))
    const url = locationOf(await wire.next())
    await wire.cut()
    expect(await lengthOf(url)).toBe('100')
  })

  it('Upload-Length of an append', async () => {
    const url = await create()
    await append(url, 0, false, HELLO.subarray(0, 5), { 'Upload-Length': SIZE })
    expect(await lengthOf(url)).toBe(SIZE)
  })

  it('"the sum of the current offset and the Content-Length header field value" of an append that is cut', async () => {
    const url = await create(HELLO.subarray(0, 5))
    const wire = await connect(url)
    await wire.send(appendHead(url, 5, true, 95).replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'))
    expect((await wire.next()).status).toBe(100)
    await wire.cut()
    expect(await lengthOf(url)).toBe('100')
    expect(await stateOf(url)).toEqual(['5', '?0'])
  })

  it.each(['-1', '11.0', '"11"', 'eleven', '11, 11', ''])(
    '"Other values MUST cause the entire header field to be ignored": %s',
    async (value) => {
      const url = await create(HELLO, { 'Upload-Length': value })
      expect(await lengthOf(url)).toBeNull()
    },
  )
})

describe('"If indicators (1) and (2) are both present in the same request, their indicated lengths MUST match"', () => {
  it.each(['0', '10', '12'])('in a creation: %s', async (length) => {
    await expectInconsistent(await post(true, HELLO, { 'Upload-Length': length }))
  })

  it.each(['0', '5', '10', '12'])('in an append: %s', async (length) => {
    const url = await create(HELLO.subarray(0, 5))
    await expectInconsistent(await append(url, 5, true, HELLO.subarray(5), { 'Upload-Length': length }))
    expect(await stateOf(url)).toEqual(['5', '?0'])
    expect(await lengthOf(url)).toBeNull()
  })

  it('equal ones complete the upload', async () => {
    expect((await post(true, HELLO, { 'Upload-Length': SIZE })).headers.get('Upload-Complete')).toBe('?1')
  })
})

describe('"If multiple requests include indicators, their indicated values MUST match"', () => {
  it('Upload-Length after Upload-Length', async () => {
    const url = await create(HELLO.subarray(0, 5), { 'Upload-Length': SIZE })
    await expectInconsistent(await append(url, 5, false, HELLO.subarray(5), { 'Upload-Length': '12' }))
    expect(await stateOf(url)).toEqual(['5', '?0'])
    expect(await lengthOf(url)).toBe(SIZE)
  })

  it('an end before the Upload-Length', async () => {
    const url = await create(HELLO.subarray(0, 5), { 'Upload-Length': SIZE })
    await expectInconsistent(await append(url, 5, true, HELLO.subarray(5, 8)))
    expect(await stateOf(url)).toEqual(['5', '?0'])
    expect((await append(url, 5, true, HELLO.subarray(5))).headers.get('Upload-Complete')).toBe('?1')
  })

  it('the end of a body in chunks before the Upload-Length', async () => {
    const url = await create(undefined, { 'Upload-Length': SIZE })
    const wire = await connect(url)
    await wire.send(appendHead(url, 0, true), codedPiece(HELLO.subarray(0, 5)), codedPiece(Buffer.alloc(0)))
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(400)
    expect(answer.headers.get('Upload-Complete')).toBe('?0')
    const [offset, complete] = await stateOf(url)
    expect(complete).toBe('?0')
    const rest = await append(url, Number(offset), true, HELLO.subarray(Number(offset)))
    expect(rest.headers.get('Upload-Complete')).toBe('?1')
  })

  it('a length below the received bytes', async () => {
    const url = await create(HELLO)
    await expectInconsistent(await append(url, HELLO.length, false, undefined, { 'Upload-Length': '5' }))
    expect(await stateOf(url)).toEqual([SIZE, '?0'])
  })

  it('of a complete upload', async () => {
    const url = await create(HELLO)
    await append(url, HELLO.length, true)
    const wire = await connect(url)
    // Without Content-Length, which would itself be an indicator.
    await wire.send(
      requestHead('PATCH', new URL(url).pathname, {
        ...DRAFT,
        'Content-Type': PARTIAL,
        'Upload-Offset': SIZE,
        'Upload-Complete': '?1',
        'Upload-Length': 99,
      }),
    )
    expectClientError(await wire.answer())
    await wire.cut()
  })
})

describe('"the server MUST prevent the offset from exceeding the upload length by rejecting the request once the offset exceeds the length"', () => {
  it('of an append in chunks, "marking the upload resource invalid and rejecting any further interaction with it"', async () => {
    const url = await create(undefined, { 'Upload-Length': SIZE })
    const wire = await connect(url)
    await wire.send(
      appendHead(url, 0, false),
      codedPiece(HELLO),
      codedPiece(Buffer.from('!')),
      codedPiece(Buffer.alloc(0)),
    )
    const answer = await wire.answer()
    await wire.cut()
    expectClientError(answer)
    expect(answer.headers.get('Upload-Complete')).toBe('?0')
    expectClientError(await head(url))
    expectClientError(await append(url, HELLO.length, true))
    expectClientError(await append(url, HELLO.length, false))
  })

  it('of a creation in chunks', async () => {
    const wire = await connect(endpoint)
    await wire.send(
      creationHead({ ...DRAFT, 'Upload-Complete': '?0', 'Upload-Length': 5, 'Transfer-Encoding': 'chunked' }),
    )
    const url = locationOf(await wire.next())
    await wire.send(codedPiece(HELLO), codedPiece(Buffer.alloc(0)))
    expectClientError(await wire.answer())
    await wire.cut()
    expectClientError(await head(url))
  })

  it.each([
    ['?0', false],
    ['?1', true],
  ])('of a Content-Length that shows it in advance, with Upload-Complete: %s', async (_, complete) => {
    const url = await create(HELLO.subarray(0, 2), { 'Upload-Length': '5' })
    await expectInconsistent(await append(url, 2, complete, HELLO))
    expectClientError(await head(url))
    expectClientError(await append(url, 2, true, HELLO.subarray(2, 5)))
    expectClientError(await append(url, 2, false, HELLO.subarray(2, 5)))
  })

  it('of a Content-Length, after an append that stated the length', async () => {
    const url = await create(HELLO.subarray(0, 2))
    expect((await append(url, 2, false, HELLO.subarray(2, 3), { 'Upload-Length': '5' })).status).toBe(204)
    await expectInconsistent(await append(url, 3, false, HELLO))
    expectClientError(await head(url))
  })

  it('a request with contradictory lengths is refused, and changes nothing', async () => {
    await expectInconsistent(await post(false, HELLO, { 'Upload-Length': '5' }))
    const url = await create()
    await expectInconsistent(await append(url, 0, false, HELLO, { 'Upload-Length': '5' }))
    expect(await stateOf(url)).toEqual(['0', '?0'])
    expect(await lengthOf(url)).toBeNull()
    expect((await append(url, 0, true, HELLO)).headers.get('Upload-Complete')).toBe('?1')
  })

  it('an append at a wrong offset is refused as a mismatch first, and does not change the upload', async () => {
    const url = await create(HELLO.subarray(0, 2), { 'Upload-Length': SIZE })
    expect((await append(url, 1, false, Buffer.alloc(100))).status).toBe(409)
    expect(await stateOf(url)).toEqual(['2', '?0'])
    expect((await append(url, 2, true, HELLO.subarray(2))).headers.get('Upload-Complete')).toBe('?1')
  })
})
