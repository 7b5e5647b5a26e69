import { once } from 'node:events'
import { readdir, readFile, readlink } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { freePort } from '../support/free-port.ts'
import { seriesAt, valueIn } from '../support/metrics.ts'
import { BUILT_PAGES, startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { beginPatch, createUpload, idOf, patch, reached } from '../support/tus.ts'
import { connect, requestHead, until } from '../support/wire.ts'

jest.setTimeout(60_000)

/** Much more than the socket buffers of the OS hold. */
const content = bytesOf(48 * 1024 * 1024)
/** Connections without a request, and heads of requests, get five seconds more than this. */
const IDLE_TIMEOUT = 1_000

let service: TestService
let adminPort: number
beforeAll(async () => {
  adminPort = await freePort()
  const settings = { IDLE_TIMEOUT: String(IDLE_TIMEOUT), KEEP_ALIVE: '2', ADMIN_PORT: String(adminPort) }
  service = await startService(settings, BUILT_PAGES)
})
afterAll(() => service.close())

/** A connection that is read only on demand. */
async function connectDeaf(): Promise<net.Socket> {
  const { hostname, port } = new URL(service.url)
  const socket = net.connect({ host: hostname, port: Number(port) })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket.pause()
}

/** Whether the service still has its end of the connection. */
async function isOpen({ localPort }: net.Socket): Promise<boolean> {
  const table = await readFile('/proc/net/tcp', 'utf8')
  const [mine, its] = [localPort ?? 0, Number(new URL(service.url).port)].map((port) =>
    port.toString(16).toUpperCase().padStart(4, '0'),
  )
  const ESTABLISHED = '01'
  return new RegExp(`: \\w+:${its} \\w+:${mine} ${ESTABLISHED} `).test(table)
}

/** Whether this process, which is the service, has a finished file open. */
async function isFileOpen(url: string): Promise<boolean> {
  const folder = path.join(service.dataDir, 'files', idOf(url))
  const names = await readdir('/proc/self/fd')
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return targets.some((target) => target.startsWith(folder))
}

async function finishedFile(length: number): Promise<string> {
  const url = await createUpload(service.url, length)
  await patch(url, 0, content.subarray(0, length))
  return url
}

/** How many requests have ended because their head did not arrive in time. */
async function timedOut(): Promise<number> {
  return valueIn(await seriesAt(`http://127.0.0.1:${adminPort}`), 'landfall_errors_total', { code: 'idle_timeout' })
}

// Most of them wait for limits: concurrent tests run concurrently only within one block.
it.concurrent('A connection without any bytes is closed', async () => {
  const wire = await connect(service.url)
  const { status, body } = await wire.answer()
  expect([status, JSON.parse(body)]).toEqual([408, expect.objectContaining({ ok: false })])
  await wire.closed
})

it.concurrent('A connection is closed when the head of its request never ends', async () => {
  const wire = await connect(service.url)
  await wire.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ')
  let isEnded = false
  const ended = wire.answer().finally(() => {
    isEnded = true
  })
  while (!isEnded) {
    await wire.send('a')
    await pause(200)
  }
  expect((await ended).status).toBe(408)
  await wire.closed
})

it.concurrent('A connection is closed when no further request arrives', async () => {
  const wire = await connect(service.url)
  for (let i = 0; i < 3; i++) {
    await wire.send(requestHead('GET', '/healthz', {}))
    expect((await wire.answer()).status).toBe(200)
  }
  await wire.closed
})

it.concurrent('A body that arrives slowly and steadily is never cut by the limits for heads and idle connections', async () => {
  const slow = bytesOf(45)
  const url = await createUpload(service.url, slow.length)
  const wire = await connect(service.url)
  await beginPatch(wire, url, 0, slow.length, Buffer.alloc(0))
  // For longer than a request head may take, and until the next check of that limit.
  for (const byte of slow) {
    await pause(300)
    await wire.send(Buffer.of(byte))
  }
  expect((await wire.answer()).status).toBe(204)
  await expectFile(service, url, slow)
  await wire.cut()
})

it.concurrent('A reader who stops reading a file is disconnected, and the file closed', async () => {
  const file = await finishedFile(content.length)
  const socket = await connectDeaf()
  socket.write(requestHead('GET', new URL(file).pathname, {}))
  await until(() => isFileOpen(file))
  await until(async () => !(await isOpen(socket)))
  await until(async () => !(await isFileOpen(file)))
  socket.destroy()
})

it.concurrent('A reader who sends request after request and never reads is disconnected', async () => {
  const socket = await connectDeaf()
  socket.write(requestHead('GET', '/static/jquery/jquery.min.js', {}).repeat(500))
  await until(async () => socket.bytesWritten > 0 && isOpen(socket))
  await until(async () => !(await isOpen(socket)))
  socket.destroy()
})

it.concurrent('A reader who reads slowly receives the whole file', async () => {
  const length = 24 * 1024 * 1024
  const file = await finishedFile(length)
  const socket = await connectDeaf()
  socket.write(requestHead('GET', new URL(file).pathname, { Connection: 'close' }))
  let received = 0
  while (!socket.readableEnded && !socket.destroyed) {
    await pause(20)
    received += socket.read()?.length ?? 0
  }
  expect(received).toBeGreaterThan(length)
})

it('A head that never ends is counted as a request; a connection without any bytes is not', async () => {
  expect(await timedOut()).toBe(1)
})

describe('An upload whose client vanished silently', () => {
  const small = bytesOf(9_000)

  it('is resumed at once by its next PATCH, with a checksum or without', async () => {
    const url = await createUpload(service.url, small.length)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, small.length, small.subarray(0, 3_000))
    await reached(url, 3_000)
    expect((await patch(url, 3_000, small.subarray(3_000, 6_000))).status).toBe(204)
    const other = await connect(service.url)
    const head = {
      'Tus-Resumable': '1.0.0',
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Offset': 6_000,
      'Content-Length': 3_000,
      'Upload-Checksum': 'sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=',
    }
    await other.send(requestHead('PATCH', new URL(url).pathname, head), small.subarray(6_000, 8_000))
    expect((await patch(url, 6_000, small.subarray(6_000))).status).toBe(204)
    await expectFile(service, url, small)
    await Promise.all([wire.cut(), other.cut()])
  })
})
