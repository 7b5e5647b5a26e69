import { describe, expect, it } from '@jest/globals'
import { parseDictionary } from 'structured-headers'
import { append, create, endpoint, HELLO, head, post, request } from './server.ts'

/** The limits in a response, as a client parses them. */
function limitsOf({ headers }: Response): ReadonlyMap<string, unknown> {
  return new Map([...parseDictionary(headers.get('Upload-Limit') ?? '')].map(([key, [value]]) => [key, value]))
}

const options = (): Promise<Response> => fetch(endpoint, { method: 'OPTIONS' })

describe('Upload-Limit', () => {
  it('"When responding to an OPTIONS request without the Upload-Complete header field … the server MUST include the Upload-Limit header field"', async () => {
    const response = await options()
    expect(response.ok).toBe(true)
    // "If the server does not apply any limits, it MUST use min-size=0 instead of an empty header value."
    expect(limitsOf(response).size).toBeGreaterThan(0)
  })

  it('"The value is an Integer", in every response', async () => {
    const url = await create()
    const answers = [await options(), await post(false), await head(url), await append(url, 0, false, HELLO)]
    for (const answer of answers) {
      for (const value of limitsOf(answer).values()) expect(Number.isSafeInteger(value)).toBe(true)
    }
  })

  it('"the limits announced in an OPTIONS response SHOULD NOT be less restrictive than the limits applied to an upload"', async () => {
    const size = limitsOf(await options()).get('max-size')
    expect(limitsOf(await post(false)).get('max-size')).toBe(size)
    expect(limitsOf(await head(await create())).get('max-size')).toBe(size)
  })

  it('"max-age: Specifies the remaining lifetime of the upload resource in seconds": if present, it is positive', async () => {
    const age = limitsOf(await head(await create())).get('max-age')
    if (age !== undefined) expect(age).toBeGreaterThan(0)
  })

  it('"max-size … The server might not create an upload resource": "413 … SHOULD include the Upload-Limit header field"', async () => {
    const most = limitsOf(await options()).get('max-size')
    if (most === undefined) return
    const tooLong = { 'Upload-Length': String(Number(most) + 1) }
    const url = await create(HELLO)
    for (const response of [
      await post(false, undefined, tooLong),
      await request('PUT', endpoint, { 'Upload-Complete': '?0', ...tooLong }),
      await append(url, HELLO.length, false, undefined, tooLong),
    ]) {
      expect(response.status).toBe(413)
      expect(response.headers.get('Upload-Complete')).toBe('?0')
      expect(limitsOf(response).get('max-size')).toBe(most)
    }
    expect((await head(url)).headers.get('Upload-Offset')).toBe(String(HELLO.length))
  })

  it('an upload of exactly the maximum size is created', async () => {
    const most = limitsOf(await options()).get('max-size')
    if (most === undefined) return
    expect((await post(false, undefined, { 'Upload-Length': String(most) })).status).toBe(201)
  })
})
