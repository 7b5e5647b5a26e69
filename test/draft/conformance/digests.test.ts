import { describe, expect, it } from '@jest/globals'
import { append, create, digestOf, expectClientError, HELLO, post, stateOf } from './server.ts'

const WRONG = Buffer.from('something else')
const SIZE = String(HELLO.length)
const right = { 'sha-256': digestOf('sha-256', HELLO), 'sha-512': digestOf('sha-512', HELLO) }
const wrong = { 'sha-256': digestOf('sha-256', WRONG), 'sha-512': digestOf('sha-512', WRONG) }

const MATCHING: Readonly<Record<string, string>> = {
  'sha-256': right['sha-256'],
  'sha-512': right['sha-512'],
  both: `${right['sha-256']}, ${right['sha-512']}`,
  'an unknown algorithm': 'unheard-of=:AAAA:',
  'a known algorithm next to an unknown one': `unheard-of=:AAAA:, ${right['sha-256']}`,
  'not a dictionary': 'sha-256:',
  'not a byte sequence': 'sha-256=abc',
}
const MISMATCHING: Readonly<Record<string, string>> = {
  'sha-256': wrong['sha-256'],
  'sha-512': wrong['sha-512'],
  'one of two': `${right['sha-256']}, ${wrong['sha-512']}`,
  'the other of two': `${wrong['sha-256']}, ${right['sha-512']}`,
}

describe('Content-Digest', () => {
  it.each(Object.entries(MATCHING))('"compare it to the provided digest": %s', async (_, digest) => {
    const url = await create()
    const response = await append(url, 0, true, HELLO, { 'Content-Digest': digest })
    expect([response.ok, response.headers.get('Upload-Complete')]).toEqual([true, '?1'])
  })

  it.each(Object.entries(MISMATCHING))(
    '"If the digests don\'t match the server SHOULD consider the transfer failed, not append the content … and signal the failure": %s',
    async (_, digest) => {
      const url = await create(HELLO)
      const response = await append(url, HELLO.length, true, HELLO, { 'Content-Digest': digest })
      expectClientError(response)
      expect(response.headers.get('Upload-Complete')).toBe('?0')
      expect(await stateOf(url)).toEqual([SIZE, '?0'])
      expect((await append(url, HELLO.length, true, HELLO)).headers.get('Upload-Complete')).toBe('?1')
    },
  )

  it('of "the content from an upload creation"', async () => {
    const good = await post(false, HELLO, { 'Content-Digest': right['sha-256'] })
    expect(good.status).toBe(201)
    const bad = await post(false, HELLO, { 'Content-Digest': wrong['sha-256'] })
    expectClientError(bad)
    const whole = await post(true, HELLO, { 'Content-Digest': wrong['sha-256'] })
    expectClientError(whole)
    expect(whole.headers.get('Upload-Complete')).toBe('?0')
  })
})

describe('Repr-Digest', () => {
  it.each(['sha-256', 'sha-512'] as const)('that matches, over several requests: %s', async (name) => {
    const url = await create(HELLO.subarray(0, 5), { 'Repr-Digest': right[name] })
    expect((await append(url, 5, true, HELLO.subarray(5))).headers.get('Upload-Complete')).toBe('?1')
  })

  it.each(['sha-256', 'sha-512'] as const)(
    '"If the digests don\'t match, the server SHOULD consider the upload failed, not process the representation further, and signal the failure": %s',
    async (name) => {
      const url = await create(HELLO.subarray(0, 5), { 'Repr-Digest': wrong[name] })
      const response = await append(url, 5, true, HELLO.subarray(5))
      expectClientError(response)
      // "The representation was fully transmitted, but an error occurred while processing it."
      expect(response.headers.get('Upload-Complete')).toBe('?1')
      expectClientError(await append(url, HELLO.length, true))
    },
  )

  it('in one request', async () => {
    expect((await post(true, HELLO, { 'Repr-Digest': right['sha-256'] })).ok).toBe(true)
    expectClientError(await post(true, HELLO, { 'Repr-Digest': wrong['sha-256'] }))
  })
})

describe('Want-Repr-Digest', () => {
  it.each([
    ['sha-256=1', 'sha-256'],
    ['sha-512=1', 'sha-512'],
    ['sha-256=1, sha-512=9', 'sha-512'],
    ['sha-256=9, sha-512=1', 'sha-256'],
  ] as const)(
    '"The server SHOULD compute the representation digests using the preferred algorithms once the upload is complete": %s',
    async (wanted, name) => {
      const response = await post(true, HELLO, { 'Want-Repr-Digest': wanted })
      expect(response.headers.get('Repr-Digest')).toBe(right[name])
    },
  )

  it('"when creating an upload, the client can ask": the final response has it, and so has its repetition', async () => {
    const url = await create(HELLO.subarray(0, 5), { 'Want-Repr-Digest': 'sha-512=1' })
    expect((await append(url, 5, true, HELLO.subarray(5))).headers.get('Repr-Digest')).toBe(right['sha-512'])
    const again = await append(url, HELLO.length, true)
    if (again.ok) expect(again.headers.get('Repr-Digest')).toBe(right['sha-512'])
  })

  it('"The response SHOULD include at least one of the requested digests": it has no other digest', async () => {
    const response = await post(true, HELLO, { 'Want-Repr-Digest': 'sha-256=0, unheard-of=10' })
    expect(response.ok).toBe(true)
    expect(response.headers.has('Repr-Digest')).toBe(false)
  })
})
