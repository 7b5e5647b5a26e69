import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { createUpload, head, offsetOf, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { cut, MULTIPART, rawChunk } from '../support/webuploader.ts'
import { type Answer, codedPiece, connect, requestHead, until, type Wire } from '../support/wire.ts'

const SIZE = 1_000
const MISSING = `/files/${'0'.repeat(32)}`
const SMALL = 100
const LARGE = 3_000_000

let service: TestService
let victim: string
beforeAll(async () => {
  service = await startService({ MAX_SIZE: '1000000' })
})
afterAll(() => service.close())
beforeEach(async () => {
  victim = await createUpload(service.url, SIZE)
})

/** A body that looks like requests: parsing it as a request deletes the victim. */
function bait(length: number): Buffer {
  const request = requestHead('DELETE', new URL(victim).pathname, TUS)
  return Buffer.from(request.repeat(Math.ceil(length / request.length)).slice(0, length))
}

type Headers = Readonly<Record<string, string | number>>
/** Some are refused for another reason when the body is large, or its length unknown. */
type Wrong = readonly [method: string, path: string, headers: Headers, ...statuses: number[]]

function wrongRequests(): Readonly<Record<string, Wrong>> {
  const { pathname } = new URL(victim)
  const append = { ...PATCH_HEADERS, 'Upload-Offset': 0 }
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
  return {
    'PATCH of no offset': ['PATCH', pathname, PATCH_HEADERS, 400],
    'PATCH of a missing upload': ['PATCH', MISSING, append, 404],
    'PATCH at a wrong offset': ['PATCH', pathname, { ...append, 'Upload-Offset': 5 }, 409],
    'PATCH with a wrong checksum': ['PATCH', pathname, { ...append, 'Upload-Checksum': 'sha1 MTIz' }, 460, 413, 400],
    'PATCH of another version': ['PATCH', pathname, { ...append, 'Tus-Resumable': '9.9.9' }, 412],
    'PATCH of another type': ['PATCH', pathname, { ...append, 'Content-Type': 'text/plain' }, 415],
    PUT: ['PUT', pathname, append, 405],
    'POST of nothing known': ['POST', '/nothing', append, 404],
    'POST of no length': ['POST', '/files', TUS, 400],
    'POST of too much': ['POST', '/files', { ...TUS, 'Upload-Length': 1_000_001 }, 413],
    'POST for a method that it cannot stand for': [
      'POST',
      pathname,
      { ...append, 'X-HTTP-Method-Override': 'PUT' },
      405,
    ],
    'POST for the HEAD of a missing upload': ['POST', MISSING, { ...TUS, 'X-HTTP-Method-Override': 'HEAD' }, 404],
    'GET with a body': ['GET', '/healthz', {}, 200],
    'HEAD with a body': ['HEAD', pathname, TUS, 200],
    'OPTIONS with a body': ['OPTIONS', '/files', {}, 204],
    'DELETE of a missing upload with a body': ['DELETE', MISSING, TUS, 404],
    'multipart without a file': ['POST', '/upload/accept', { 'Content-Type': MULTIPART }, 400],
    'multipart of another kind': ['POST', '/upload/accept', { 'Content-Type': 'multipart/mixed; boundary=x' }, 415],
    'a bare chunk without its fields': ['POST', '/upload/accept', {}, 400],
    'complete of an unknown task': ['POST', '/upload/complete?task_id=x', form, 404, 413],
    'a check': ['POST', '/check', form, 200],
  }
}

/**
 * Expects the next request of the connection to receive the right response, or the connection to have ended after
 * announcing it.
 */
async function expectInStep(wire: Wire, before: Answer, name: string): Promise<void> {
  if (before.headers.get('Connection') === 'close') {
    await wire.closed
  } else {
    await wire.send(requestHead('HEAD', new URL(victim).pathname, TUS))
    const next = await wire.answer('HEAD')
    expect([name, next.status, next.headers.get('Upload-Offset')]).toEqual([name, 200, '0'])
    await wire.cut()
  }
  expect([name, (await head(victim)).status, await offsetOf(victim)]).toEqual([name, 200, 0])
}

describe.each([
  ['small', SMALL],
  ['large', LARGE],
])('After a refused request with a %s body,', (_size, length) => {
  it.each(['Content-Length', 'Transfer-Encoding'])('the connection stays in sync, or ends: %s', async (framing) => {
    for (const [name, [method, path, headers, ...statuses]] of Object.entries(wrongRequests())) {
      const body = bait(length)
      const wire = await connect(service.url)
      const isCoded = framing === 'Transfer-Encoding'
      const framed = isCoded ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': body.length }
      const sent = isCoded
        ? [codedPiece(body.subarray(0, 50)), codedPiece(body.subarray(50)), codedPiece(Buffer.alloc(0))]
        : [body]
      await wire.send(requestHead(method, path, { ...headers, ...framed }), ...sent)
      const answer = await wire.answer(method)
      expect([name, statuses.includes(answer.status), answer.status]).toEqual([name, true, answer.status])
      await expectInStep(wire, answer, name)
    }
  })

  it('pipelined requests are answered in order', async () => {
    for (const [name, [method, path, headers, ...statuses]] of Object.entries(wrongRequests())) {
      const body = bait(length)
      const wire = await connect(service.url)
      const next = requestHead('HEAD', new URL(victim).pathname, TUS)
      await wire.send(requestHead(method, path, { ...headers, 'Content-Length': body.length }), body, next, next)
      const answer = await wire.answer(method)
      expect([name, statuses.includes(answer.status), answer.status]).toEqual([name, true, answer.status])
      if (answer.headers.get('Connection') === 'close') await wire.closed
      else for (let i = 0; i < 2; i++) expect([name, (await wire.answer('HEAD')).status]).toEqual([name, 200])
      await wire.cut()
      expect([name, await offsetOf(victim)]).toEqual([name, 0])
    }
  })
})

describe('An idle connection', () => {
  it('is closed after KEEP_ALIVE, which its responses announce', async () => {
    const short = await startService({ KEEP_ALIVE: '1' })
    try {
      const wire = await connect(short.url)
      await wire.send(requestHead('GET', '/healthz', {}))
      expect((await wire.answer()).headers.get('Keep-Alive')).toBe('timeout=1')
      await wire.closed
    } finally {
      await short.close()
    }
  })
})

describe('Pipelined requests', () => {
  const content = bytesOf(SIZE)

  it('are handled and answered in order, valid and invalid ones', async () => {
    const { pathname } = new URL(victim)
    const wire = await connect(service.url)
    const put = (offset: number, end: number): (string | Buffer)[] => [
      requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': offset, 'Content-Length': end - offset }),
      content.subarray(offset, end),
    ]
    // A pipelining client must assume that each PATCH finds the offset after the previous one.
    await wire.send(...put(0, 300), requestHead('GET', '/nothing', {}), requestHead('GET', '/healthz', {}))
    expect([await wire.answer(), await wire.answer(), await wire.answer()].map(({ status }) => status)).toEqual([
      204, 404, 200,
    ])
    await wire.send(
      ...put(300, SIZE),
      requestHead('OPTIONS', '/files', {}),
      requestHead('PUT', pathname, { 'Content-Length': 0 }),
    )
    expect([await wire.answer(), await wire.answer(), await wire.answer()].map(({ status }) => status)).toEqual([
      204, 204, 405,
    ])
    await expectFile(service, victim, content)
    await wire.cut()
  })

  it('can be chunks of a page, and an invalid one between them does no harm', async () => {
    const whole = bytesOf(250_000)
    const file = cut(whole, 100_000, { task_id: 'wu_sent_at_once' })
    const wire = await connect(service.url)
    const [first, second, third] = [0, 1, 2].map((chunk) => rawChunk(file, chunk))
    const wrong = requestHead('POST', '/upload/accept', { 'Content-Type': 'text/plain', 'Content-Length': SMALL })
    const all = [first, second, third].flatMap((chunk) => [chunk?.head ?? '', chunk?.body ?? ''])
    await wire.send(...all.slice(0, 2), wrong, bait(SMALL), ...all.slice(2))
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await wire.answer()).status)
    // Concurrent chunks: those after the first may have arrived before the chunk size was known.
    expect(statuses.slice(0, 2)).toEqual([200, 400])
    for (const chunk of [0, 1, 2]) await land(service.url, file, chunk)
    expect((await land(service.url, file, 1)).finished).toBe(true)
    await wire.cut()
  })
})

describe('A request with two lengths', () => {
  const chunked = 'Transfer-Encoding: chunked\r\n'
  const cases: Readonly<Record<string, string>> = {
    'Content-Length and Transfer-Encoding': `Content-Length: 4\r\n${chunked}`,
    'Transfer-Encoding and Content-Length': `${chunked}Content-Length: 4\r\n`,
    'two lengths': 'Content-Length: 4\r\nContent-Length: 40\r\n',
    'the same length twice': 'Content-Length: 4\r\nContent-Length: 4\r\n',
    'a list of lengths': 'Content-Length: 4, 4\r\n',
    'a length with a sign': 'Content-Length: +4\r\n',
    'a negative length': 'Content-Length: -4\r\n',
    'a length that is no number': 'Content-Length: 0x4\r\n',
    'a length beyond all numbers': `Content-Length: ${'9'.repeat(40)}\r\n`,
    'two codings': 'Transfer-Encoding: chunked, identity\r\n',
    'an unknown coding': 'Transfer-Encoding: xchunked\r\n',
    'a space before the colon': 'Transfer-Encoding : chunked\r\n',
    'a folded coding': 'Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n',
  }

  it.each(Object.entries(cases))(
    '(%s) is refused, or read in one way, and its body never becomes a request',
    async (_, lines) => {
      const { pathname } = new URL(victim)
      const start = requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': 0 }).slice(0, -2)
      const wire = await connect(service.url)
      await wire.send(`${start}${lines}\r\n`, '0\r\n\r\n', bait(SIZE))
      expect((await wire.answer()).status).toBe(400)
      await wire.closed
      expect((await head(victim)).status).toBe(200)
      expect(await offsetOf(victim)).toBe(0)
    },
  )
})

describe('The chunked transfer coding', () => {
  const content = bytesOf(SIZE)
  const start = (): string =>
    requestHead('PATCH', new URL(victim).pathname, {
      ...PATCH_HEADERS,
      'Upload-Offset': 0,
      'Transfer-Encoding': 'chunked',
    })

  it('with trailers and extensions is read to its end, and the next request is answered', async () => {
    const wire = await connect(service.url)
    const piece = codedPiece(content).toString('latin1').replace('\r\n', ';name="value"\r\n')
    await wire.send(start(), Buffer.from(piece, 'latin1'), '0\r\nX-Trailer: 1\r\n\r\n')
    expect((await wire.answer()).status).toBe(204)
    await wire.send(requestHead('GET', '/healthz', {}))
    expect((await wire.answer()).body).toBe('ok\n')
    await expectFile(service, victim, content)
    await wire.cut()
  })

  it.each([
    ['a size that is no number', 'zz\r\n'],
    ['a piece longer than its size', '3\r\nabcdef\r\n0\r\n\r\n'],
    ['a size beyond all numbers', 'fffffffffffffffffff\r\nabc'],
    ['a line that ends with LF', '3\nabc\r\n0\r\n\r\n'],
  ])('with %s ends the connection; only valid bytes count, and the upload resumes', async (_, coded) => {
    const wire = await connect(service.url)
    await wire.send(start(), codedPiece(content.subarray(0, 500)), coded, bait(SIZE))
    await wire.closed
    // Bytes that arrived before the connection ended may not be written yet.
    await until(async () => (await offsetOf(victim)) >= 500)
    expect([500, 503]).toContain(await offsetOf(victim))
    expect((await head(victim)).status).toBe(200)
  })
})
