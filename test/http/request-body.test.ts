import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { Batch } from '../../server/http/batch.ts'
import { RequestBody } from '../../server/http/request-body.ts'
import { until } from './wire.ts'

const MIB = 1024 * 1024
/** More than the system's own socket buffers take. */
const LENGTH = 64 * MIB

describe('a body that is sent faster than it is written', () => {
  it.each(['eager', 'held'] as const)('is left to the client beyond a few MiB: %s', async (manner) => {
    const server = http.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address: AddressInfo | string | null = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const client = http.request({ port, method: 'POST', headers: { 'Content-Length': LENGTH } })
    client.on('error', () => undefined)
    const received = once(server, 'request')
    client.end(Buffer.alloc(LENGTH))
    const [request]: http.IncomingMessage[] = await received
    if (request === undefined) throw new Error('no request')
    const body = new RequestBody(request, 60_000, manner)
    // Two reads: after the second one the next batch may be gathered, but no more than that.
    await body.read()
    await body.read()
    await until(async () => request.isPaused() || request.socket.bytesRead >= LENGTH)
    expect(request.isPaused()).toBe(true)
    expect(request.socket.bytesRead).toBeLessThan(8 * MIB)
    body.close()
    client.destroy()
    server.closeAllConnections()
    server.close()
  })
})

describe('the buffers of batches', () => {
  it('never belong to two batches, also when one is released twice', () => {
    const first = new Batch()
    first.add(Buffer.alloc(200_000, 1))
    first.release()
    first.release()
    const [a, b] = [new Batch(), new Batch()]
    a.add(Buffer.alloc(200_000, 2))
    b.add(Buffer.alloc(200_000, 3))
    expect(Buffer.concat(a.bytes).equals(Buffer.alloc(200_000, 2))).toBe(true)
    expect(Buffer.concat(b.bytes).equals(Buffer.alloc(200_000, 3))).toBe(true)
    a.release()
    b.release()
  })
})
