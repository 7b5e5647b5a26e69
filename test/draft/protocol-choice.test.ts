import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import {
  append,
  ask,
  create,
  createUpload,
  DRAFT,
  expectComplete,
  type Headers,
  PARTIAL,
  stateOf,
} from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectNoBytes } from '../support/stored-uploads.ts'
import {
  create as createByTus,
  createUpload as createTus,
  head,
  locationOf,
  PATCH_HEADERS,
  patch,
  patchWith,
  TUS,
} from '../support/tus.ts'

const content = bytesOf(10_000)
const SIZE = String(content.length)
let service: TestService
beforeEach(async () => {
  service = await startService()
})
afterEach(() => service.close())

describe('A request of the draft', () => {
  const speaks: Readonly<Record<string, Headers>> = {
    'by its interop version': { 'Upload-Draft-Interop-Version': '8' },
    'by an interop version that is not spoken here': { 'Upload-Draft-Interop-Version': '99' },
    'by Upload-Complete': { 'Upload-Complete': '?1' },
  }

  it.each(Object.entries(speaks))('is recognized by %s: HEAD, GET, and DELETE', async (_, headers) => {
    const url = await createTus(service.url, content.length)
    await patch(url, 0, content.subarray(0, 10))
    for (const method of ['HEAD', 'GET']) {
      const response = await ask(method, url, headers)
      expect([response.status, response.headers.get('Upload-Offset')]).toEqual([204, '10'])
      expect(response.headers.has('Tus-Resumable')).toBe(false)
      expect(response.headers.get('Upload-Limit')).toMatch(/^min-size=0, max-age=\d+$/)
    }
    await patch(url, 10, content.subarray(10))
    // Termination of tus would remove the file.
    expect((await ask('DELETE', url, headers)).status).toBe(400)
    await expectFile(service, url, content)
  })

  it.each([PARTIAL, `${PARTIAL};a=b`, 'Application/Partial-Upload'])(
    'is recognized by its type: PATCH with %s',
    async (type) => {
      const url = await createUpload(service.url)
      const response = await ask('PATCH', url, { 'Content-Type': type, 'Upload-Offset': '0' }, content)
      // Only Upload-Complete is missing; for tus, it would be the version.
      expect([response.status, response.headers.get('Upload-Error')]).toEqual([400, 'bad_request'])
    },
  )

  it('receives errors as problem details; other requests receive a sentence', async () => {
    const url = `${service.url}/files/${'0'.repeat(32)}`
    for (const [headers, type] of [
      [DRAFT, 'application/problem+json'],
      [TUS, 'text/plain'],
      [{}, 'text/plain'],
    ] as const) {
      const response = await ask('GET', url, headers)
      expect(response.status).toBe(404)
      expect(response.headers.get('Content-Type')).toContain(type)
    }
  })
})

describe('A request with the headers of both protocols', () => {
  it.each(['HEAD', 'PATCH', 'DELETE', 'POST'])('is handled as tus: %s', async (method) => {
    const url = method === 'POST' ? `${service.url}/files` : await createTus(service.url, content.length)
    const both = { ...DRAFT, 'Upload-Complete': '?1', 'Upload-Offset': '0', 'Upload-Length': SIZE, ...PATCH_HEADERS }
    const response = await ask(method, url, both, method === 'PATCH' ? content : undefined)
    expect(response.ok).toBe(true)
    expect(response.headers.get('Tus-Resumable')).toBe('1.0.0')
    expect(response.headers.has('Upload-Complete')).toBe(false)
  })
})

describe('A request of neither protocol', () => {
  it('downloads a file, or receives the offset by HEAD', async () => {
    const url = await createUpload(service.url, content.subarray(0, 10))
    expect((await ask('GET', url, {})).status).toBe(404)
    const reported = await ask('HEAD', url, {})
    expect([reported.status, reported.headers.get('Upload-Offset')]).toEqual([204, '10'])
    expectComplete(await append(url, 10, true, content.subarray(10)))
    await expectFile(service, url, content)
  })

  it.each(['POST', 'PATCH'])('is refused for its version of tus: %s', async (method) => {
    const url = await createUpload(service.url)
    expect((await ask(method, method === 'POST' ? `${service.url}/files` : url, {})).status).toBe(412)
    expect(await stateOf(url)).toEqual(['0', '?0'])
  })

  it('cancels an unfinished upload by DELETE, but never removes a finished file', async () => {
    const unfinished = await createUpload(service.url, content)
    expect((await ask('DELETE', unfinished, {})).status).toBe(204)
    await expectNoBytes(service, unfinished)
    const finished = await createUpload(service.url)
    expectComplete(await append(finished, 0, true, content))
    const begunByTus = await createTus(service.url, content.length)
    expect((await patch(begunByTus, 0, content)).status).toBe(204)
    for (const url of [finished, begunByTus]) {
      const refused = await ask('DELETE', url, {})
      expect(refused.status).toBe(400)
      expect(await refused.json()).toMatchObject({ code: 'already_complete' })
      await expectFile(service, url, content)
    }
  })

  it('is refused as a creation by PUT, which only the draft has', async () => {
    expect((await ask('PUT', `${service.url}/files`, {}, content)).status).toBe(400)
  })
})

it('OPTIONS returns what both protocols need', async () => {
  const { headers, status } = await ask('OPTIONS', `${service.url}/files`, {})
  expect(status).toBe(204)
  expect(headers.get('Tus-Version')).toBe('1.0.0')
  expect(headers.get('Upload-Limit')).toBe('min-size=0')
})

it('Vary names the headers that a response depends on', async () => {
  const url = await createUpload(service.url)
  for (const response of [await ask('HEAD', url), await head(url), await ask('HEAD', url, {})]) {
    expect(response.headers.get('Vary')).toMatch(/Tus-Resumable.*Upload-Draft-Interop-Version/)
  }
})

describe('An upload of tus', () => {
  it.each([0, 10])('is resumed by the other protocol from byte %d', async (offset) => {
    const url = await createTus(service.url, content.length)
    await patch(url, 0, content.subarray(0, offset))
    expect(await stateOf(url)).toEqual([String(offset), '?0'])
    expect((await append(url, offset, false, content.subarray(offset, 20))).status).toBe(204)
    expectComplete(await append(url, 20, true, content.subarray(20)))
    await expectFile(service, url, content)
  })

  it('is completed by the last byte that the draft appends', async () => {
    const url = await createTus(service.url, content.length)
    expectComplete(await append(url, 0, false, content))
    await expectFile(service, url, content)
  })

  it('receives its unknown length from the last append of the draft', async () => {
    const made = await createByTus(service.url, { 'Upload-Defer-Length': '1' })
    const url = locationOf(made, service.url)
    await patch(url, 0, content.subarray(0, 10))
    expectComplete(await append(url, 10, true, content.subarray(10)))
    expect((await head(url)).headers.get('Upload-Length')).toBe(SIZE)
    await expectFile(service, url, content)
  })

  it('can be a part that the draft completes', async () => {
    const part = locationOf(
      await createByTus(service.url, { 'Upload-Length': SIZE, 'Upload-Concat': 'partial' }),
      service.url,
    )
    const final = await createByTus(service.url, { 'Upload-Concat': `final;${new URL(part).pathname}` })
    const answer = await append(part, 0, true, content)
    expect(answer.ok).toBe(true)
    const url = locationOf(final, service.url)
    expect((await append(url, 0, true, content)).ok).toBe(false)
    for (;;) if ((await head(url)).headers.get('Upload-Offset') === SIZE) break
    await expectFile(service, url, content)
  })

  it('is reported as complete to the draft, and its last append can be repeated', async () => {
    const url = await createTus(service.url, content.length)
    await patch(url, 0, content)
    expect(await stateOf(url)).toEqual([SIZE, '?1'])
    expectComplete(await append(url, content.length, true))
  })
})

describe('An upload of the draft', () => {
  it.each([0, 10])('is resumed by the other protocol from byte %d', async (offset) => {
    const url = await createUpload(service.url, content.subarray(0, offset), { 'Upload-Length': SIZE })
    const reported = await head(url)
    expect([reported.status, reported.headers.get('Upload-Offset')]).toEqual([200, String(offset)])
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
    await expectFile(service, url, content)
    expect(await stateOf(url)).toEqual([SIZE, '?1'])
  })

  it('receives its unknown length from tus', async () => {
    const url = await createUpload(service.url, content.subarray(0, 10))
    expect((await head(url)).headers.get('Upload-Defer-Length')).toBe('1')
    const fields = { ...PATCH_HEADERS, 'Upload-Offset': '10', 'Upload-Length': SIZE }
    expect((await patchWith(url, fields, content.subarray(10))).status).toBe(204)
    await expectFile(service, url, content)
  })

  it.each<[string, (url: string) => Promise<Response>]>([
    ['HEAD', (url) => head(url)],
    ['an empty PATCH', (url) => patch(url, content.length, Buffer.alloc(0))],
    [
      'HEAD of tus-js-client 4 that speaks the draft',
      (url) => ask('HEAD', url, { 'Upload-Draft-Interop-Version': '6' }),
    ],
    [
      'an empty PATCH of tus-js-client 4 that speaks the draft',
      (url) =>
        ask('PATCH', url, {
          'Upload-Draft-Interop-Version': '6',
          'Content-Type': PARTIAL,
          'Upload-Offset': SIZE,
          'Upload-Complete': '?0',
        }),
    ],
  ])('is complete for %s when all bytes are there without an announced end', async (_, complete) => {
    const url = await createUpload(service.url, content, { 'Upload-Length': SIZE })
    expect(await stateOf(url)).toEqual([SIZE, '?0'])
    expect((await ask('GET', url, {})).status).toBe(404)
    expect((await complete(url)).ok).toBe(true)
    await expectFile(service, url, content)
    expect(await stateOf(url)).toEqual([SIZE, '?1'])
  })

  it('is terminated by tus, finished or not', async () => {
    const unfinished = await createUpload(service.url, content)
    const finished = await createUpload(service.url)
    await append(finished, 0, true, content)
    for (const url of [unfinished, finished]) {
      expect((await ask('DELETE', url, TUS)).status).toBe(204)
      expect((await ask('HEAD', url)).status).toBe(410)
    }
  })
})

it('PUT creates an upload with the bytes of the whole file', async () => {
  const response = await ask('PUT', `${service.url}/files`, { ...DRAFT, 'Upload-Complete': '?1' }, content)
  expectComplete(response)
  await expectFile(service, locationOf(response, service.url), content)
  const empty = await create(service.url, true)
  expectComplete(empty)
  await expectFile(service, locationOf(empty, service.url), Buffer.alloc(0))
})
