import { describe, expect, it } from '@jest/globals'
import { codedPiece, connect } from '../../support/wire.ts'
import {
  append,
  create,
  creationHead,
  DRAFT,
  endpoint,
  expectClientError,
  HELLO,
  head,
  locationOf,
  post,
  request,
  stateOf,
} from './server.ts'

const SIZE = String(HELLO.length)

describe('upload creation', () => {
  it.each(['POST', 'PUT'])(
    '"A client can start a resumable upload from any request that can carry content": %s',
    async (method) => {
      const response = await request(method, endpoint, { 'Upload-Complete': '?0' }, HELLO)
      expect(response.status).toBe(201)
      expect(await stateOf(locationOf(response))).toEqual([SIZE, '?0'])
    },
  )

  it('"If the Upload-Complete request header field is set to true … If the request content was fully processed, no resumable upload is needed"', async () => {
    const response = await post(true, HELLO)
    expect(response.ok).toBe(true)
    expect(response.headers.get('Upload-Complete')).toBe('?1')
  })

  it('"set to false … the server MUST include the Location response header field … and MUST include the Upload-Limit"; "RECOMMENDED to use the 201"', async () => {
    const response = await post(false, HELLO.subarray(0, 5))
    expect(response.status).toBe(201)
    expect(response.headers.get('Location')).toBeTruthy()
    expect(response.headers.get('Upload-Limit')).toBeTruthy()
    expect(response.headers.get('Upload-Complete')).toBe('?0')
    expect(await stateOf(locationOf(response))).toEqual(['5', '?0'])
  })

  it('"The request content can be empty. If the Upload-Complete header field is then set to true, the client intends to upload an empty representation"', async () => {
    const response = await post(true)
    expect(response.ok).toBe(true)
    expect(response.headers.get('Upload-Complete')).toBe('?1')
  })

  it('"An Upload-Complete header field set to false is also valid. This can be used to retrieve the upload resource\'s URI before"', async () => {
    const url = await create()
    expect(await stateOf(url)).toEqual(['0', '?0'])
    const { headers, ok } = await append(url, 0, true, HELLO)
    expect([ok, headers.get('Upload-Complete')]).toEqual([true, '?1'])
  })

  it('"the client might not know the total length": the end of a chunked body ends the upload', async () => {
    const wire = await connect(endpoint)
    await wire.send(
      creationHead({ ...DRAFT, 'Upload-Complete': '?1', 'Transfer-Encoding': 'chunked' }),
      codedPiece(HELLO.subarray(0, 5)),
      codedPiece(HELLO.subarray(5)),
      codedPiece(Buffer.alloc(0)),
    )
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBeLessThan(300)
    expect(answer.headers.get('Upload-Complete')).toBe('?1')
  })

  it('"for example because of dropped connection … the server SHOULD append as much of the request content as possible"; "MUST NOT be considered complete then"', async () => {
    const wire = await connect(endpoint)
    await wire.send(creationHead({ ...DRAFT, 'Upload-Complete': '?1', 'Content-Length': 100 }))
    const url = locationOf(await wire.next())
    await wire.send(HELLO)
    await wire.cut()
    // The last bytes may still be in flight, but reported ones are kept.
    const [offset, complete] = await stateOf(url)
    expect(complete).toBe('?0')
    const next = await append(url, Number(offset), false, Buffer.from('more'))
    expect(next.status).toBe(204)
  })

  it('a chunked body that is cut exactly after a chunk keeps its bytes, and is not complete', async () => {
    const wire = await connect(endpoint)
    await wire.send(creationHead({ ...DRAFT, 'Upload-Complete': '?1', 'Transfer-Encoding': 'chunked' }))
    const url = locationOf(await wire.next())
    await wire.send(codedPiece(HELLO))
    await wire.cut()
    expect((await head(url)).headers.get('Upload-Complete')).toBe('?0')
  })

  it('"Other values MUST cause the entire header field to be ignored": without a valid Upload-Complete, no draft upload is created', async () => {
    for (const value of ['1', 'true', '?2', '"?1"', '?1, ?0', '(?1)', '']) {
      const response = await request('POST', endpoint, { 'Upload-Complete': value }, HELLO)
      expect(response.headers.get('Upload-Complete')).not.toBe('?1')
      expectClientError(response)
    }
  })

  it('"Upload-Complete is an Item Structured Header Field": its parameters are ignored', async () => {
    const response = await request('POST', endpoint, { 'Upload-Complete': '?1;unknown="x"' }, HELLO)
    expect(response.headers.get('Upload-Complete')).toBe('?1')
  })
})
