import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence } from '../support/stored-uploads.ts'
import { beginPatch, create, createUpload, locationOf, patch, reached, TUS } from '../support/tus.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const content = bytesOf(1_000_000)

let service: TestService
beforeAll(async () => {
  service = await startService({ TRUST_PROXY: 'true' })
})
afterAll(() => service.close())

const askDigest = (url: string, query: string): Promise<Response> => fetch(`${url}/digest${query}`)
const rangeQuery = (start: number | string, end: number | string): string => `?start=${start}&end=${end}`
const sha256 = (bytes: Buffer): string => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`

async function uploadOf(bytes: Buffer<ArrayBuffer>, received = bytes.length): Promise<string> {
  const url = await createUpload(service.url, bytes.length)
  expect((await patch(url, 0, bytes.subarray(0, received))).status).toBe(204)
  return url
}

async function expectRefusal(response: Response, status: number): Promise<void> {
  expect(response.status).toBe(status)
  expectSentence(await response.text(), service)
}

describe('GET of a range digest', () => {
  it.each([
    ['an unfinished upload', 700_000],
    ['a finished file', content.length],
  ])('returns the SHA-256 of the received bytes of %s', async (_, received) => {
    const url = await uploadOf(content, received)
    for (const [start, end] of [
      [0, received],
      [0, 1],
      [received - 1, received],
      [123_456, 654_321],
    ] as const) {
      const response = await askDigest(url, rangeQuery(start, end))
      expect(response.status).toBe(200)
      expect(response.headers.get('Cache-Control')).toBe('no-store')
      expect(await response.json()).toEqual({ start, end, digest: sha256(content.subarray(start, end)) })
    }
  })

  it('covers a chunk in the middle of a file that WebUploader sends out of order', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ task_id: 't', name: 'a', size: '300000', chunk: '1', chunks: '3' }))
      form.append(name, value)
    form.append('file', new Blob([content.subarray(0, 100_000)]), 'a')
    const response = await fetch(`${service.url}/upload/accept`, { method: 'POST', body: form })
    const { url }: { url: string } = await response.json()
    const digest = await askDigest(new URL(url, service.url).href, rangeQuery(100_000, 200_000))
    expect(await digest.json()).toMatchObject({ digest: sha256(content.subarray(0, 100_000)) })
    await expectRefusal(await askDigest(new URL(url, service.url).href, rangeQuery(0, 100_000)), 416)
  })

  it.each(['', '?start=0', '?end=1', rangeQuery(1, 1), rangeQuery(2, 1), rangeQuery(-1, 5), rangeQuery('x', 5)])(
    'refuses the query "%s" with 400',
    async (query) => {
      await expectRefusal(await askDigest(await uploadOf(content, 10), query), 400)
    },
  )

  it.each(['?start=0&start=1&end=5', rangeQuery('1e1', 20), rangeQuery(0, '9007199254740993')])(
    'refuses the ambiguous query "%s" with 400',
    async (query) => {
      await expectRefusal(await askDigest(await uploadOf(content, 10), query), 400)
    },
  )

  it('covers at most 16 MiB', async () => {
    const bytes = bytesOf(16 * MIB + 1)
    const url = await uploadOf(bytes)
    const response = await askDigest(url, rangeQuery(1, 16 * MIB + 1))
    expect(await response.json()).toMatchObject({ digest: sha256(bytes.subarray(1)) })
    await expectRefusal(await askDigest(url, rangeQuery(0, 16 * MIB + 1)), 400)
  })

  it('refuses a range that has not been received with 416', async () => {
    const url = await uploadOf(content, 500)
    await expectRefusal(await askDigest(url, rangeQuery(0, 501)), 416)
    await expectRefusal(await askDigest(url, rangeQuery(500, 600)), 416)
  })

  it('returns 404 for an unknown upload and 410 for a deleted one', async () => {
    await expectRefusal(await askDigest(`${service.url}/files/${'0'.repeat(32)}`, rangeQuery(0, 1)), 404)
    const url = await uploadOf(content, 10)
    await fetch(url, { method: 'DELETE', headers: TUS })
    await expectRefusal(await askDigest(url, rangeQuery(0, 1)), 410)
  })

  it('returns 410 for a part whose bytes are in a final upload', async () => {
    const part = locationOf(
      await create(service.url, { 'Upload-Concat': 'partial', 'Upload-Length': '10' }),
      service.url,
    )
    await patch(part, 0, content.subarray(0, 10))
    expect((await askDigest(part, rangeQuery(0, 10))).status).toBe(200)
    expect((await create(service.url, { 'Upload-Concat': `final;${part}` })).status).toBe(201)
    await expectRefusal(await askDigest(part, rangeQuery(0, 10)), 410)
  })

  it('refuses the digest of a failed upload with the reason', async () => {
    const url = await createUpload(service.url, 10, { sha256: '0'.repeat(64) })
    expect((await patch(url, 0, content.subarray(0, 10))).status).toBe(422)
    await expectRefusal(await askDigest(url, rangeQuery(0, 10)), 422)
  })

  it.each(['POST', 'PUT', 'DELETE'])('refuses %s with 405', async (method) => {
    const response = await fetch(`${service.url}/files/0123/digest`, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('Allow')).toBe('HEAD, GET')
  })

  it('does not disturb a running PATCH of the upload', async () => {
    const url = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 600_000))
    await reached(url, 600_000)
    const response = await askDigest(url, rangeQuery(0, 600_000))
    expect(await response.json()).toMatchObject({ digest: sha256(content.subarray(0, 600_000)) })
    await wire.send(content.subarray(600_000))
    expect((await wire.answer()).status).toBe(204)
    await wire.cut()
    await expectFile(service, url, content)
  })
})

describe('Requests for range digests', () => {
  const path = (url: string): string => `${new URL(url).pathname}/digest${rangeQuery(0, 16 * MIB)}`

  it('do not delay those of another address, however many one address sends', async () => {
    const url = await uploadOf(bytesOf(16 * MIB))
    const floods = await Promise.all(Array.from({ length: 60 }, () => connect(service.url)))
    const flooded = floods.map(async (wire) => {
      await wire.send(requestHead('GET', path(url), { 'X-Forwarded-For': '192.0.2.1' }))
      return wire.answer()
    })
    let answered = 0
    for (const answer of flooded) answer.then(() => (answered += 1)).catch(() => undefined)
    await until(async () => answered > 0)
    const other = await fetch(`${url}/digest${rangeQuery(0, MIB)}`, { headers: { 'X-Forwarded-For': '192.0.2.2' } })
    expect(other.status).toBe(200)
    expect(answered).toBeLessThan(floods.length)
    for (const answer of await Promise.all(flooded)) expect([200, 423]).toContain(answer.status)
    for (const wire of floods) await wire.cut()
  })

  it('cost nothing once their client has disconnected', async () => {
    const url = await uploadOf(bytesOf(16 * MIB))
    const wires = await Promise.all(Array.from({ length: 200 }, () => connect(service.url)))
    for (const wire of wires) await wire.send(requestHead('GET', path(url), {}))
    // A reset would discard what the service has not read yet.
    await fetch(`${service.url}/healthz`)
    for (const wire of wires) await wire.reset()
    let answered = false
    const last = askDigest(url, rangeQuery(0, MIB)).finally(() => {
      answered = true
    })
    // Another address gets every second turn, so it counts the turns before the last request.
    let turns = 0
    for (; !answered; turns += 1)
      await fetch(`${service.url}${path(url)}`, { headers: { 'X-Forwarded-For': '192.0.2.2' } })
    expect((await last).status).toBe(200)
    expect(turns).toBeLessThan(wires.length / 2)
  })
})
