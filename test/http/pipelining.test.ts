import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { connections } from '../../server/connections/connections.ts'
import { connect, requestHead, until } from '../support/wire.ts'

/** Node reads this many bytes at once. */
const READ_AT_ONCE = 65_536

let server: Server
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
})

async function listen(handler: RequestListener): Promise<string> {
  server = connections(handler, { idleTimeout: 1_000, keepAlive: 1_000, most: 0 }, () => '').server
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  return `http://127.0.0.1:${address.port}`
}

function numbered(count: number, headers: Readonly<Record<string, string>> = {}): string[] {
  return Array.from({ length: count }, (_, number) => requestHead('GET', `/${number}`, headers))
}

test('A pipelined request starts when the responses before its own are sent', async () => {
  const begun: string[] = []
  const ends: (() => void)[] = []
  let connection: Socket | undefined
  const url = await listen((request, response) => {
    connection = request.socket
    begun.push(request.url ?? '')
    ends.push(() => response.setHeader('Content-Length', 1).end('x'))
  })
  const requests = numbered(10)
  const wire = await connect(url)
  await wire.send(...requests)
  await until(async () => connection?.bytesRead === requests.join('').length)
  for (let number = 0; number < requests.length; number++) {
    await until(async () => begun.length > number)
    expect(begun).toEqual(Array.from({ length: number + 1 }, (_, at) => `/${at}`))
    ends[number]?.()
    await wire.answer()
  }
  await wire.cut()
})

test('Few requests are read ahead when they arrive faster than they are answered, and each is answered', async () => {
  const requests = numbered(5_000, { Pad: 'p'.repeat(500) })
  const begun: string[] = []
  let answered = 0
  let ahead = 0
  const url = await listen((request, response) => {
    begun.push(request.url ?? '')
    ahead = Math.max(ahead, request.socket.bytesRead - answered)
    answered += requests[begun.length - 1]?.length ?? 0
    void nextTurn().then(() => response.setHeader('Content-Length', 1).end('x'))
  })
  const wire = await connect(url)
  const sent = wire.send(...requests)
  for (const _ of requests) expect((await wire.answer()).body).toBe('x')
  await sent
  expect(begun).toEqual(requests.map((_, number) => `/${number}`))
  expect(ahead).toBeLessThan(4 * READ_AT_ONCE)
  await wire.cut()
})

test('A request after a response that ends the connection is not started', async () => {
  const begun: string[] = []
  const url = await listen((request, response) => {
    begun.push(request.url ?? '')
    if (begun.length === 3) response.setHeader('Connection', 'close')
    void nextTurn().then(() => response.setHeader('Content-Length', 1).end('x'))
  })
  const wire = await connect(url)
  await wire.send(...numbered(200, { Pad: 'p'.repeat(500) }))
  await wire.closed
  expect(begun).toEqual(['/0', '/1', '/2'])
})
