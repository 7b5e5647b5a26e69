import { ReadStream } from 'node:fs'
import { rm, truncate } from 'node:fs/promises'
import { Agent, get, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { systemCode } from '../../server/core/errors.ts'
import { bytes, Service, type StreamedFile } from '../support/one-file-service.ts'
import { connect, requestHead } from '../support/wire.ts'

const MiB = 1024 * 1024
const large = bytes(48 * MiB)

let service: Service

async function serve(about: Partial<StreamedFile> = {}, stored = large): Promise<Service> {
  service = await Service.start(stored, about)
  return service
}

afterEach(() => service.stop())

/** The bytes that the service has read from disk for its latest response. */
function bytesRead(): number {
  const stream = service.streams.at(-1)
  if (!(stream instanceof ReadStream)) throw new Error('no file was read')
  return stream.bytesRead
}

async function until(what: () => boolean): Promise<void> {
  for (let waited = 0; !what(); waited += 10) {
    if (waited > 5000) throw new Error('the condition did not hold within 5 s')
    await sleep(10)
  }
}

/** Waits until reading has paused for a while. */
async function untilStill(): Promise<void> {
  let before = -1
  while (bytesRead() !== before) {
    before = bytesRead()
    await sleep(150)
  }
}

function isOfConnection(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(systemCode(error) ?? '')
}

async function firstBytes(answer: IncomingMessage): Promise<void> {
  await new Promise((resolve) => answer.once('readable', resolve))
  answer.read(1)
}

describe('A large file', () => {
  it('arrives whole', async () => {
    await serve()
    const { body } = await service.fetch()
    expect(body.equals(large)).toBe(true)
    await service.handled
    expect(service.streams[0]?.closed).toBe(true)
    expect(service.logged).toEqual([])
  })

  it('is read no faster than the client reads it', async () => {
    await serve()
    const answer = await service.open()
    await firstBytes(answer)
    await untilStill()
    expect(bytesRead()).toBeLessThan(16 * MiB)
    expect((await buffer(answer)).length).toBe(large.length - 1)
  })

  it('is read from disk only inside the requested range', async () => {
    await serve()
    const start = 40 * MiB + 17
    const { body } = await service.fetch({ Range: `bytes=${start}-${start + 99_999}` })
    expect(body.equals(large.subarray(start, start + 100_000))).toBe(true)
    expect(bytesRead()).toBe(100_000)
  })
})

describe('A client that disconnects', () => {
  it.each(['ends its connection', 'resets its connection'])(
    '%s, and the service closes the file without an error',
    async (how) => {
      await serve()
      const answer = await service.open()
      await firstBytes(answer)
      answer.on('error', () => {})
      if (how === 'resets its connection') answer.socket.resetAndDestroy()
      else answer.destroy()
      await service.handled
      await until(() => service.streams[0]?.closed === true)
      expect(bytesRead()).toBeLessThan(large.length)
      expect(service.thrown).toEqual([])
      expect(service.logged.filter((error) => !isOfConnection(error))).toEqual([])
    },
  )

  it('makes the service close the files of both its pipelined requests', async () => {
    await serve()
    const wire = await connect(`http://127.0.0.1:${service.port}`)
    await wire.send(requestHead('GET', '/files/an-id', {}).repeat(2))
    await until(() => service.streams.length === 2 && service.streams.every((stream) => stream.readableDidRead))
    // The second response is queued: it has no socket yet that could report the disconnect.
    await untilStill()
    await wire.cut()
    await until(() => service.streams.every((stream) => stream.closed))
    await service.handled
    expect(service.thrown).toEqual([])
  })

  it('makes the service close the source even before the first byte is read', async () => {
    const late = new Readable({ read() {} })
    await serve({ read: () => late })
    const asked = get({ port: service.port, host: '127.0.0.1', agent: false })
    asked.on('error', () => {})
    await until(() => service.streams.length === 1)
    asked.destroy()
    await until(() => service.connections === 0)
    late.push(large.subarray(0, MiB))
    await service.handled
    expect(late.closed).toBe(true)
    expect(service.thrown).toEqual([])
    expect(service.logged).toEqual([])
  })
})

describe('A file that cannot be read', () => {
  it('returns an error without any header of the file', async () => {
    await serve()
    await rm(service.path)
    const { status, headers, body } = await service.fetch({ Range: 'bytes=0-9' })
    expect(status).toBe(503)
    expect(body.toString()).toBe('The file could not be read.\n')
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    for (const name of ['etag', 'last-modified', 'content-range', 'content-disposition', 'accept-ranges']) {
      expect(headers).not.toHaveProperty(name)
    }
    expect(service.thrown).toMatchObject([{ code: 'storage_error', cause: { code: 'ENOENT' } }])
  })

  it('cuts the connection if an error occurs midway', async () => {
    const failing = () => Readable.from(someThenFail(), { objectMode: true, highWaterMark: 1 })
    await serve({ read: failing })
    const answer = await service.open()
    expect(answer.statusCode).toBe(200)
    await expect(buffer(answer)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(answer.complete).toBe(false)
    await service.handled
    expect(service.thrown).toMatchObject([{ code: 'storage_error', cause: { message: 'the disk is broken' } }])
  })

  async function* someThenFail(): AsyncGenerator<Buffer> {
    yield large.subarray(0, MiB)
    await sleep(50)
    throw new Error('the disk is broken')
  }

  it('cuts the connection if it is shorter than its record says', async () => {
    await serve()
    await truncate(service.path, 3 * MiB)
    const answer = await service.open()
    await expect(buffer(answer)).rejects.toMatchObject({ code: 'ECONNRESET' })
    await service.handled
    expect(service.thrown).toMatchObject([{ code: 'storage_error' }])
    expect(service.streams[0]?.closed).toBe(true)
  })

  it('sends no surplus if its source returns too much', async () => {
    await serve({ size: 10, read: () => Readable.from([large.subarray(0, 6), large.subarray(6, 12)]) })
    await expect(service.fetch()).rejects.toMatchObject({ code: 'ECONNRESET' })
    await service.handled
    expect(service.thrown).toMatchObject([{ code: 'storage_error' }])
  })
})

it('One connection serves a range, an error, a 304, an empty HEAD, and a range again', async () => {
  await serve({}, bytes(1000))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ports = new Set<number | undefined>()
  const ask = (headers: Record<string, string>, method = 'GET') =>
    new Promise<number | undefined>((resolve, reject) => {
      get({ port: service.port, host: '127.0.0.1', agent, headers, method }, async (answer) => {
        ports.add(answer.socket.localPort)
        await buffer(answer)
        resolve(answer.statusCode)
      }).on('error', reject)
    })
  expect(await ask({ Range: 'bytes=0-99' })).toBe(206)
  expect(await ask({ Range: 'bytes=1000-' })).toBe(416)
  expect(await ask({ 'If-None-Match': '*' })).toBe(304)
  expect(await ask({}, 'HEAD')).toBe(200)
  expect(await ask({ Range: 'bytes=-1' })).toBe(206)
  expect(ports.size).toBe(1)
  agent.destroy()
})

it('A response that cannot begin closes its file', async () => {
  const metadata = {
    get filename(): string {
      throw new Error('no name')
    },
  }
  await serve({ metadata })
  expect((await service.fetch()).status).toBe(500)
  expect(service.streams).toHaveLength(1)
  await until(() => service.streams[0]?.closed === true)
})
