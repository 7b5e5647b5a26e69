import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, head, PATCH_HEADERS } from '../support/tus.ts'
import { type Answer, codedPiece, connect, requestHead } from '../support/wire.ts'

const PAGE = 'https://pages.example'
const ORIGIN = `Origin: ${PAGE}\r\n`
/** More bytes than a request head may have. */
const TOO_MUCH = 'x'.repeat(300_000)

let service: TestService
beforeAll(async () => {
  service = await startService({ ALLOWED_ORIGINS: PAGE })
})
afterAll(() => service.close())

async function answerTo(text: string, method?: string): Promise<Answer> {
  const wire = await connect(service.url)
  await wire.send(text)
  const answer = await wire.answer(method)
  await wire.closed
  return answer
}

/** Expects a sentence that a page can read, and a closed connection. */
function expectRefusal({ status, headers, body }: Answer, expected: number, code: string): void {
  expect([status, headers.get('Upload-Error'), headers.get('Connection')]).toEqual([expected, code, 'close'])
  expect(headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
  expect(headers.get('Vary')).toContain('Origin')
  expect(headers.get('Access-Control-Expose-Headers')).toContain('Upload-Error')
  expect(headers.get('Cache-Control')).toBe('no-store')
  expect(headers.get('Content-Length')).toBe(String(Buffer.byteLength(body)))
  expect(body).toMatch(/[A-Z].*\./)
}

const BROKEN: readonly (readonly [name: string, text: string, status: number, code: string])[] = [
  [
    'a head that is too long',
    `GET /check HTTP/1.1\r\nHost: x\r\n${ORIGIN}Cookie: ${TOO_MUCH}\r\n\r\n`,
    431,
    'header_too_large',
  ],
  ['a request line that is too long', `GET /${TOO_MUCH} HTTP/1.1\r\nHost: x\r\n${ORIGIN}\r\n`, 431, 'header_too_large'],
  [
    'a URL that is too long',
    `GET /check?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n${ORIGIN}\r\n`,
    414,
    'target_too_long',
  ],
  [
    'a cookie that is too long',
    `GET /check HTTP/1.1\r\nHost: x\r\n${ORIGIN}Cookie: ${'x'.repeat(30_000)}\r\n\r\n`,
    431,
    'header_too_large',
  ],
  [
    'too many headers',
    `GET /check HTTP/1.1\r\nHost: x\r\n${ORIGIN}${'A: b\r\n'.repeat(1_500)}\r\n`,
    431,
    'header_too_large',
  ],
  ['a header without a colon', `GET /check HTTP/1.1\r\nHost: x\r\n${ORIGIN}nonsense\r\n\r\n`, 400, 'bad_request'],
  [
    'two lengths',
    `POST /check HTTP/1.1\r\nHost: x\r\n${ORIGIN}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    400,
    'bad_request',
  ],
  [
    'an unknown expectation',
    `POST /check HTTP/1.1\r\nHost: x\r\n${ORIGIN}Expect: 200-ok\r\nContent-Length: 5\r\n\r\n`,
    417,
    'expectation_failed',
  ],
  ['no host', `POST /check HTTP/1.1\r\n${ORIGIN}\r\n`, 400, 'bad_request'],
  ['two hosts', `POST /check HTTP/1.1\r\nHost: x\r\nHost: x\r\n${ORIGIN}\r\n`, 400, 'bad_request'],
  [
    'a proxy\u2019s method',
    `CONNECT up.example:443 HTTP/1.1\r\nHost: up.example:443\r\n${ORIGIN}\r\n`,
    405,
    'unsupported_method',
  ],
]

describe('A request that cannot be parsed', () => {
  it.each(BROKEN)('with %s is refused with a sentence that a page can read', async (_, text, status, code) => {
    const answer = await answerTo(text)
    expectRefusal(answer, status, code)
    expect(JSON.parse(answer.body)).toMatchObject({ ok: false, error: { code } })
  })

  it.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['the beginning of TLS', '\x16\x03\x01\x02\x00\x01\x00'],
  ])('receives JSON if nothing of it can be parsed: %s', async (_, text) => {
    const answer = await answerTo(text)
    expect(answer.status).toBe(400)
    expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/)
    expect(JSON.parse(answer.body)).toMatchObject({ ok: false, error: { message: expect.stringMatching(/\.$/) } })
  })

  it('receives a response of its protocol, as far as it can be parsed', async () => {
    const broken = (headers: string): string => `GET /files/0 HTTP/1.1\r\nHost: x\r\n${ORIGIN}${headers}bad\r\n\r\n`
    const tus = await answerTo(broken('Tus-Resumable: 1.0.0\r\n'))
    expectRefusal(tus, 400, 'bad_request')
    expect(tus.headers.get('Content-Type')).toMatch(/^text\/plain/)
    const draft = await answerTo(broken('Upload-Draft-Interop-Version: 8\r\n'))
    expectRefusal(draft, 400, 'bad_request')
    expect(JSON.parse(draft.body)).toMatchObject({ status: 400, detail: draft.body.match(/"detail":"(.*?)"/)?.[1] })
    const legacy = await answerTo('POST /upload/accept HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n')
    expect(JSON.parse(legacy.body)).toMatchObject({ ok: false })
  })

  it('receives no body for a HEAD', async () => {
    const wire = await connect(service.url)
    await wire.send('HEAD /files/0 HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n')
    expect((await wire.answer('HEAD')).status).toBe(400)
    await expect(wire.answer()).rejects.toThrow(/before a response: $/)
  })

  it('is answered after earlier requests of its connection; later ones never are', async () => {
    const wire = await connect(service.url)
    await wire.send(
      requestHead('GET', '/healthz', {}).repeat(3),
      'nonsense\r\n\r\n',
      requestHead('GET', '/healthz', {}),
    )
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await wire.answer()).status)
    expect(statuses).toEqual([200, 200, 200, 400])
    await wire.closed
    await expect(wire.answer()).rejects.toThrow()
  })

  it('uses the origin of earlier requests on its connection, if its own could not be parsed', async () => {
    const wire = await connect(service.url)
    await wire.send(`GET /healthz HTTP/1.1\r\nHost: x\r\n${ORIGIN}\r\n`)
    await wire.answer()
    await wire.send('nonsense\r\n\r\n')
    expectRefusal(await wire.answer(), 400, 'bad_request')
  })

  it('is answered while its client is still sending', async () => {
    const wire = await connect(service.url)
    const sent = wire.send(`GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(2_000_000)}\r\n\r\n`)
    expect((await wire.answer()).status).toBe(431)
    await sent
    await wire.closed
  })
})

describe('A malformed chunked body', () => {
  it('is refused, and the bytes before count', async () => {
    const url = await createUpload(service.url, 10)
    const wire = await connect(service.url)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked', Origin: PAGE }
    await wire.send(requestHead('PATCH', new URL(url).pathname, headers), codedPiece(Buffer.from('abc')), 'zz\r\n')
    expectRefusal(await wire.answer(), 400, 'bad_request')
    await wire.closed
    expect((await head(url)).headers.get('Upload-Offset')).toBe('3')
  })
})

describe('A page of another origin', () => {
  it('cannot read the refusal', async () => {
    for (const headers of ['Origin: https://evil.example\r\n', 'Origin: null\r\n']) {
      const { status, headers: reported } = await answerTo(`GET /check HTTP/1.1\r\nHost: x\r\n${headers}bad\r\n\r\n`)
      expect([status, reported.get('Access-Control-Allow-Origin')]).toEqual([400, null])
    }
  })
})
