import { once } from 'node:events'
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { patch } from '../support/tus.ts'
import { sendChunk } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

jest.setTimeout(120_000)

const TASK = 't'.repeat(500)
const CHUNKS = 481
/** Requests the names of all chunks: about 240 KB. */
const FIELDS = `task_id=${TASK}&name=large.bin&size=${CHUNKS}`
/** More responses than the socket buffers of one connection hold. */
const ASKED = 30
/** Connections whose responses exceed the limit for one client. */
const CONNECTIONS = 40

const accepted = z.object({ id: z.string() })
const listed = z.object({ file_list: z.tuple([z.array(z.string())]) })

let service: TestService
beforeAll(async () => {
  service = await startService({ SYNC: 'never' })
  const fields = { task_id: TASK, name: 'large.bin', size: CHUNKS, chunks: CHUNKS, chunk: 0 }
  const { id } = accepted.parse(await (await sendChunk(service.url, fields, bytesOf(1))).json())
  // A tus client continues the upload: all chunks but the last, one byte each.
  expect((await patch(`${service.url}/files/${id}`, 1, bytesOf(CHUNKS - 2))).status).toBe(204)
})
afterAll(() => service.close())

const question = (): string => {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': FIELDS.length }
  return `${requestHead('POST', '/check', form)}${FIELDS}`
}

/** The number of names that a reading client at this address receives. */
async function namesToldTo(address: string): Promise<number> {
  const wire = await connect(service.url, address)
  await wire.send(question())
  const { body } = await wire.answer()
  await wire.cut()
  return listed.parse(JSON.parse(body)).file_list[0].length
}

/** A connection that sends requests and reads nothing. */
async function askDeaf(localAddress: string): Promise<net.Socket> {
  const { hostname, port } = new URL(service.url)
  const socket = net.connect({ host: hostname, port: Number(port), localAddress }).pause()
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(question().repeat(ASKED))
  return socket
}

/** Whether the service has closed a connection. A socket that is not read sees no close, so this writes to it. */
function isEnded(socket: net.Socket): boolean {
  if (!socket.destroyed) socket.write(' ')
  return socket.destroyed
}

describe('Responses that a client does not read', () => {
  it('are dropped with their connections above a limit, while other clients, and later the same one, receive theirs', async () => {
    // All chunks but chunk 0 and the last; none before the upload is idle.
    const all = CHUNKS - 2
    await until(async () => (await namesToldTo('127.0.0.1')) === all)
    const deaf = await Promise.all(Array.from({ length: CONNECTIONS }, () => askDeaf('127.0.0.2')))
    await until(async () => deaf.some(isEnded))
    expect(await namesToldTo('127.0.0.1')).toBe(all)
    expect(await namesToldTo('127.0.0.2')).toBe(all)
    expect(deaf.every(isEnded)).toBe(false)
    for (const socket of deaf) socket.destroy()
    expect(await namesToldTo('127.0.0.2')).toBe(all)
  })
})
