import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, patch } from '../support/tus.ts'
import { bytesOf, expectFile, offsetOf, PATCH_HEADERS } from '../tus/steps.ts'
import { connect, requestHead, until } from './wire.ts'

jest.setTimeout(120_000)

const SIZE = 48
const content = bytesOf(SIZE)
const HOW = ['cut', 'reset'] as const
type How = (typeof HOW)[number]
/** How many cuts are tried at the same time. */
const AT_ONCE = 24

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
  await service.close()
})

/** Sends the beginning of a request on a connection of its own, and ends that. */
async function sendBeginning(request: Buffer, length: number, how: How): Promise<void> {
  const wire = await connect(service.url)
  if (length > 0) await wire.send(request.subarray(0, length))
  await wire[how]()
}

/** Tries every place of a request whose bytes are `length` long, many at a time, in both ways. */
async function everywhere(length: number, work: (place: number, how: How) => Promise<void>): Promise<void> {
  const places = Array.from({ length: length + 1 }, (_, place) => HOW.map((how) => ({ place, how }))).flat()
  const line = async (): Promise<void> => {
    for (let next = places.pop(); next !== undefined; next = places.pop()) {
      const { place, how } = next
      await work(place, how).catch((cause: unknown) => {
        throw new Error(`${how} after ${place} of ${length} bytes: ${cause}`, { cause })
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, line))
}

function whole(head: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(head), body])
}

/**
 * Sends what is missing, again when it is told to: a request that was cut may be heard of only after the next one. Then the file
 * is the content.
 */
async function expectToFinish(url: string): Promise<void> {
  for (let status = 409; status !== 204; ) {
    const offset = await offsetOf(url)
    if (offset === SIZE) break
    status = (await patch(url, offset, content.subarray(offset))).status
    expect([204, 409]).toContain(status)
  }
  await expectFile(service, url, content)
}

describe('a connection that ends anywhere in', () => {
  const patchOf = (url: string, more: Readonly<Record<string, string>> = {}): { head: string; request: Buffer } => {
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': SIZE, ...more }
    const head = requestHead('PATCH', new URL(url).pathname, headers)
    return { head, request: whole(head, content) }
  }
  const length = patchOf(`http://x/files/${'0'.repeat(32)}`).request.length

  it('a PATCH: the bytes that came count', async () => {
    await everywhere(length, async (place, how) => {
      const url = await createUpload(service.url, SIZE)
      const { head, request } = patchOf(url)
      await sendBeginning(request, place, how)
      const came = Math.max(0, place - head.length)
      // A reset may overtake bytes that are still on their way.
      if (how === 'cut') await until(async () => (await offsetOf(url)) === came)
      expect(await offsetOf(url)).toBeLessThanOrEqual(came)
      await expectToFinish(url)
    })
  })

  it('a PATCH with a checksum: none of its bytes count before all have come', async () => {
    const url = await createUpload(service.url, SIZE)
    const sum = { 'Upload-Checksum': `sha1 ${createHash('sha1').update(content).digest('base64')}` }
    const { request } = patchOf(url, sum)
    await everywhere(request.length - 1, (place, how) => sendBeginning(request, place, how))
    expect(await offsetOf(url)).toBe(0)
    await sendBeginning(request, request.length, 'cut')
    await until(async () => (await offsetOf(url)) === SIZE)
    await expectFile(service, url, content)
  })
})
