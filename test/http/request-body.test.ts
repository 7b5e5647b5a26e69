import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { Batch } from '../../server/protocol/batch.ts'
import { type Exchange, RequestBody } from '../../server/protocol/request-body.ts'
import { MIB } from '../support/bytes.ts'
import { until } from '../support/wire.ts'

/** More than the socket buffers of the OS hold. */
const LENGTH = 64 * MIB

describe('A body that arrives faster than it is written', () => {
  it.each(['eager', 'held'] as const)('is not read ahead by more than a few MiB: %s', async (manner) => {
    const server = http.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address: AddressInfo | string | null = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const client = http.request({ port, method: 'POST', headers: { 'Content-Length': LENGTH } })
    client.on('error', () => undefined)
    const received = new Promise<Exchange>((resolve) => {
      server.once('request', (req, res) => resolve({ req, res }))
    })
    client.end(Buffer.alloc(LENGTH))
    const exchange = await received
    const request = exchange.req
    const body = new RequestBody(exchange, 60_000, manner)
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

describe('Batches', () => {
  it('are small while the process holds many bytes, and large again afterwards', () => {
    const piece = Buffer.alloc(256 * 1024)
    const fullAt = (): number => {
      const batch = new Batch()
      while (!batch.isFull) batch.add(piece)
      const { size } = batch
      batch.release()
      return size
    }
    const many = Array.from({ length: 40 }, () => new Batch())
    expect(fullAt()).toBe(2 * piece.length)
    for (const batch of many) for (let i = 0; i < 8; i++) batch.add(piece)
    expect(fullAt()).toBe(piece.length)
    for (const batch of many) {
      batch.release()
      batch.release()
    }
    expect(fullAt()).toBe(2 * piece.length)
  })
})
