import { describe, expect, it } from '@jest/globals'
import { type Answer, codedPiece, connect, requestHead } from '../../support/wire.ts'
import {
  allAnswers,
  appendHead,
  create,
  creationHead,
  DRAFT,
  endpoint,
  HELLO,
  INTEROP,
  locationOf,
  PARTIAL,
  stateOf,
} from './server.ts'

const WHOLE = { 'Upload-Complete': '?1', 'Content-Length': HELLO.length }

/** All responses to a creation with these headers; its body is sent at once. */
async function created(headers: Readonly<Record<string, string | number>>, method = 'POST', version = 'HTTP/1.1') {
  const wire = await connect(endpoint)
  try {
    await wire.send(creationHead({ ...WHOLE, ...headers }, method).replace('HTTP/1.1', version), HELLO)
    return await allAnswers(wire)
  } finally {
    await wire.cut()
  }
}

const of104 = (answers: readonly Answer[]): readonly Answer[] => answers.filter(({ status }) => status === 104)

describe('104 (Upload Resumption Supported) for a creation', () => {
  it.each(['POST', 'PUT'])(
    '"it MUST include Location header field pointing to the upload resource", before the body has arrived: %s',
    async (method) => {
      const wire = await connect(endpoint)
      await wire.send(creationHead({ ...DRAFT, ...WHOLE }, method))
      const announced = await wire.next()
      expect(announced.status).toBe(104)
      const url = locationOf(announced)
      expect(await stateOf(url)).toEqual(['0', '?0'])
      await wire.cut()
    },
  )

  it('"and MUST include the Upload-Limit header field with the corresponding limits"', async () => {
    const [first] = of104((await created(DRAFT)).interim)
    expect(first?.headers.get('Upload-Limit')).toMatch(/^(min|max)-/)
  })

  it('"Server implementations … MUST also send a header field Upload-Draft-Interop-Version with the interop version as its value"', async () => {
    const [first] = of104((await created(DRAFT)).interim)
    expect(first?.headers.get('Upload-Draft-Interop-Version')).toBe(INTEROP)
  })

  it.each<[string, Readonly<Record<string, string>>]>([
    ['missing', {}],
    ['another one', { 'Upload-Draft-Interop-Version': '4' }],
    ['a newer one', { 'Upload-Draft-Interop-Version': '9' }],
    ['a decimal', { 'Upload-Draft-Interop-Version': '8.0' }],
    ['a string', { 'Upload-Draft-Interop-Version': '"8"' }],
    ['a list', { 'Upload-Draft-Interop-Version': '8, 8' }],
  ])('"MUST NOT send a 104 … when the interop version … is missing or mismatching": %s', async (_, headers) => {
    const { interim, final } = await created(headers)
    expect(of104(interim)).toEqual([])
    expect(final.status).toBeGreaterThanOrEqual(200)
    expect(final.status).toBeLessThan(300)
  })

  it('no interim response to HTTP/1.0 (RFC 9110 §15.2: "A server MUST NOT send a 1xx response to an HTTP/1.0 client")', async () => {
    expect((await created(DRAFT, 'POST', 'HTTP/1.0')).interim).toEqual([])
  })

  it('"all interim and final response messages for the same request MUST contain an identical Location value"', async () => {
    const { interim, final } = await created({ ...DRAFT, 'Upload-Complete': '?0' })
    const [first] = of104(interim)
    expect(first?.headers.get('Location')).toBeTruthy()
    expect(final.headers.get('Location')).toBe(first?.headers.get('Location'))
  })

  it('"the server MUST NOT omit the 100 (Continue) response because it has sent an interim response with the 104"', async () => {
    const wire = await connect(endpoint)
    await wire.send(creationHead({ ...DRAFT, ...WHOLE, Expect: '100-continue' }))
    const first = await wire.next()
    const second = await wire.next()
    expect([first.status, second.status].sort()).toEqual([100, 104])
    await wire.send(HELLO)
    expect((await wire.answer()).status).toBeLessThan(300)
    await wire.cut()
  })

  it('each of two creations on one connection has its own', async () => {
    const wire = await connect(endpoint)
    const urls = []
    for (let i = 0; i < 2; i++) {
      await wire.send(creationHead({ ...DRAFT, ...WHOLE, 'Upload-Complete': '?0' }), HELLO)
      const { interim, final } = await allAnswers(wire)
      expect(of104(interim)[0]?.headers.get('Location')).toBe(final.headers.get('Location'))
      urls.push(locationOf(final))
    }
    await wire.cut()
    expect(urls[0]).not.toBe(urls[1])
  })
})

describe('104 while content is processed', () => {
  /** Sends a piece at intervals until the server has reported progress twice. */
  async function progressOf(head: string): Promise<readonly Answer[]> {
    const wire = await connect(endpoint)
    await wire.send(head)
    const pump = setInterval(() => void wire.send(codedPiece(HELLO)), 100)
    try {
      const found: Answer[] = []
      while (found.length < 2) {
        const answer = await wire.next()
        if (answer.headers.has('Upload-Offset')) found.push(answer)
      }
      return found
    } finally {
      clearInterval(pump)
      await wire.cut()
    }
  }

  it('"the server SHOULD send interim responses with a 104 … and the Upload-Offset header field"; "MUST NOT include the Location"', async () => {
    const url = await create()
    const reported = await progressOf(appendHead(url, 0, true))
    for (const { status, headers } of reported) {
      expect(status).toBe(104)
      expect(headers.has('Location')).toBe(false)
      expect(headers.get('Upload-Draft-Interop-Version')).toBe(INTEROP)
    }
    const [first = 0, second = 0] = reported.map(({ headers }) => Number(headers.get('Upload-Offset')))
    expect(first).toBeGreaterThan(0)
    expect(second).toBeGreaterThan(first)
    // "Clients can use this guarantee to free resources": reported bytes stay.
    expect(Number((await stateOf(url))[0])).toBeGreaterThanOrEqual(second)
  })

  it('a client without an interop version receives none', async () => {
    const url = await create()
    const wire = await connect(url)
    await wire.send(
      requestHead('PATCH', new URL(url).pathname, {
        'Content-Type': PARTIAL,
        'Upload-Offset': 0,
        'Upload-Complete': '?0',
        'Transfer-Encoding': 'chunked',
      }),
    )
    for (let i = 0; i < 13; i++) {
      await wire.send(codedPiece(HELLO))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await wire.send(codedPiece(Buffer.alloc(0)))
    expect((await wire.next()).status).toBe(204)
    await wire.cut()
  })
})
