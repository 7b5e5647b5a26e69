import { describe, expect, it } from '@jest/globals'
import { append, create, HELLO, post, request } from './server.ts'

const SIZE = String(HELLO.length)

describe.each(['HEAD', 'GET'])('offset retrieval: %s', (method) => {
  const ask = (url: string): Promise<Response> => request(method, url)

  it('"MUST include the offset in the Upload-Offset header field", "MUST include the Upload-Complete header field"', async () => {
    const url = await create(HELLO.subarray(0, 5))
    const { status, headers } = await ask(url)
    expect([200, 204]).toContain(status)
    expect(headers.get('Upload-Offset')).toBe('5')
    expect(headers.get('Upload-Complete')).toBe('?0')
  })

  it('"MUST include the length in the Upload-Length header field, unless the client has not supplied one"', async () => {
    expect((await ask(await create(undefined, { 'Upload-Length': SIZE }))).headers.get('Upload-Length')).toBe(SIZE)
    expect((await ask(await create(HELLO))).headers.has('Upload-Length')).toBe(false)
  })

  it('"MUST indicate the limits in the Upload-Limit header field"', async () => {
    expect((await ask(await create())).headers.get('Upload-Limit')).toMatch(/^(min|max)-/)
  })

  it('"SHOULD include the Cache-Control header field with the value no-store"', async () => {
    expect((await ask(await create())).headers.get('Cache-Control')).toContain('no-store')
  })

  it('"the length and offset values do not determine whether an upload is complete"', async () => {
    const url = await create(HELLO, { 'Upload-Length': SIZE })
    const before = await ask(url)
    expect(before.headers.get('Upload-Offset')).toBe(before.headers.get('Upload-Length'))
    expect(before.headers.get('Upload-Complete')).toBe('?0')
    const ended = await append(url, HELLO.length, true)
    expect([ended.ok, ended.headers.get('Upload-Complete')]).toEqual([true, '?1'])
  })

  it('"keeping the upload resource available … allows the client to verify the state": of a complete one', async () => {
    const url = await create()
    await append(url, 0, true, HELLO)
    const { status, headers } = await ask(url)
    // "The server can clean up an upload resource and make it inaccessible immediately after the upload is complete."
    if ([404, 410].includes(status)) return
    expect(headers.get('Upload-Offset')).toBe(SIZE)
    expect(headers.get('Upload-Complete')).toBe('?1')
    expect(headers.get('Upload-Length')).toBe(SIZE)
  })

  it('an unknown upload is a client error', async () => {
    const url = await create()
    const { status, headers } = await ask(url.replace(/.{8}$/, '00000000'))
    expect([404, 410]).toContain(status)
    expect(headers.has('Upload-Offset')).toBe(false)
  })
})

it('concurrent uploads have independent offsets', async () => {
  const [one, two] = [await create(HELLO), await create(HELLO.subarray(0, 3))]
  expect((await request('HEAD', one)).headers.get('Upload-Offset')).toBe(SIZE)
  expect((await request('HEAD', two)).headers.get('Upload-Offset')).toBe('3')
  expect((await post(false)).headers.get('Location')).not.toBe(one)
})
