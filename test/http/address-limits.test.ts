import { afterEach, describe, expect, it, test } from '@jest/globals'
import { clientOf } from '../../server/http/address-limits.ts'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { beginPatch, createUpload, head, PATCH_HEADERS, patch, reached, TUS } from '../support/tus.ts'
import { connect, requestHead, until } from '../support/wire.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:0:1::1', '2001:db8:0:1'],
  ['2001:0DB8:0000:0001:ffff:ffff:ffff:ffff', '2001:db8:0:1'],
  ['2001:db8::', '2001:db8:0:0'],
  ['2001:db8:0:1:2::', '2001:db8:0:1'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
  ['::1', '0:0:0:0'],
  ['::1:2:3:4:5:6', '0:0:1:2'],
  ['fe80::1', 'fe80::1'],
  ['', ''],
])('%s is counted as %s', (address, client) => {
  expect(clientOf(address)).toBe(client)
})

let service: TestService

describe('MAX_UPLOADS', () => {
  afterEach(() => service.close())

  it('makes a surplus upload request wait, its body unread, until a running one ends', async () => {
    service = await startService({ MAX_UPLOADS: '1' })
    const [first, second] = [await createUpload(service.url, 1000), await createUpload(service.url, 1000)]
    const wire = await connect(service.url)
    await beginPatch(wire, first, 0, 1000, bytesOf(1000).subarray(0, 600))
    await reached(first, 600)
    let answered = false
    const waiting = patch(second, 0, bytesOf(1000)).finally(() => {
      answered = true
    })
    // A GET or HEAD does not wait; several are answered while the upload waits.
    for (let i = 0; i < 20; i++) expect((await head(second)).headers.get('Upload-Offset')).toBe('0')
    expect(answered).toBe(false)
    await wire.send(bytesOf(1000).subarray(600))
    expect((await wire.answer()).status).toBe(204)
    await wire.cut()
    expect((await waiting).status).toBe(204)
    expect((await patch(await createUpload(service.url, 10), 0, bytesOf(10))).status).toBe(204)
  })

  it('keeps no place for clients that disconnected while they waited', async () => {
    service = await startService({ MAX_UPLOADS: '1' })
    const urls = [await createUpload(service.url, 1000), await createUpload(service.url, 1000)] as const
    const wire = await connect(service.url)
    await beginPatch(wire, urls[0], 0, 1000, bytesOf(1000).subarray(0, 600))
    await reached(urls[0], 600)
    for (let i = 0; i < 5; i++) {
      const waiting = await connect(service.url)
      await beginPatch(waiting, urls[1], 0, 1000, bytesOf(1000).subarray(0, 300))
      await waiting.cut()
    }
    await wire.send(bytesOf(1000).subarray(600))
    expect((await wire.answer()).status).toBe(204)
    await wire.cut()
    // Bytes of disconnected clients still count when their turn comes, and advance the offset.
    await until(async () => {
      const { offset, rest } = await left(urls[1])
      return (await patch(urls[1], offset, rest)).status === 204
    })
  })

  it('counts all addresses of an IPv6 network together, which one host can use', async () => {
    service = await startService({ MAX_UPLOADS: '1', TRUST_PROXY: 'true' })
    const [first, second] = [await createUpload(service.url, 1000), await createUpload(service.url, 1000)]
    const from = (address: string) => ({ ...PATCH_HEADERS, 'Upload-Offset': '0', 'X-Forwarded-For': address })
    const wire = await connect(service.url)
    const begun = requestHead('PATCH', new URL(first).pathname, { ...from('2001:db8::1'), 'Content-Length': 1000 })
    await wire.send(begun, bytesOf(1000).subarray(0, 600))
    await reached(first, 600)
    let answered = false
    const append = { method: 'PATCH', headers: from('2001:db8::2'), body: bytesOf(1000) }
    const waiting = fetch(second, append).finally(() => {
      answered = true
    })
    for (let i = 0; i < 20; i++) expect((await head(second)).headers.get('Upload-Offset')).toBe('0')
    expect(answered).toBe(false)
    await wire.send(bytesOf(1000).subarray(600))
    expect((await wire.answer()).status).toBe(204)
    expect((await waiting).status).toBe(204)
    await wire.cut()
  })

  it('counts each client that a trusted proxy names', async () => {
    service = await startService({ MAX_UPLOADS: '1', TRUST_PROXY: 'true' })
    const url = await createUpload(service.url, 1000)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, 1000, bytesOf(1000).subarray(0, 600))
    await reached(url, 600)
    const create = (address: string): Promise<Response> =>
      fetch(`${service.url}/files`, {
        method: 'POST',
        headers: { ...TUS, 'Upload-Length': '0', 'X-Forwarded-For': address },
      })
    expect((await create('192.0.2.7')).status).toBe(201)
    await wire.cut()
  })
})

/** The missing bytes of an upload of `bytesOf(1000)`. */
async function left(url: string) {
  const offset = Number((await head(url)).headers.get('Upload-Offset'))
  return { offset, rest: bytesOf(1000).subarray(offset) }
}

describe('MAX_CONNECTIONS', () => {
  afterEach(() => service.close())

  it('closes surplus connections of an address, and accepts others when those are closed', async () => {
    service = await startService({ MAX_CONNECTIONS: '2' })
    const ask = requestHead('GET', '/healthz', { Host: 'any' })
    const [first, second, third] = [await connect(service.url), await connect(service.url), await connect(service.url)]
    for (const wire of [first, second]) {
      await wire.send(ask)
      expect((await wire.answer()).status).toBe(200)
    }
    await expect(third.send(ask).then(() => third.answer())).rejects.toThrow()
    const other = await connect(service.url, '127.0.0.2')
    await other.send(ask)
    expect((await other.answer()).status).toBe(200)
    for (const wire of [first, second, other]) await wire.cut()
  })
})
