import { once } from 'node:events'
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { requestHead } from '../support/wire.ts'

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

/** More than the socket buffers of the OS hold. */
const LENGTH = 8 * 1024 * 1024

/** A client that reads nothing before it has sent everything. */
async function connectDeaf(): Promise<net.Socket> {
  const socket = new net.Socket().pause()
  socket.connect(Number(new URL(service.url).port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

function write(socket: net.Socket, bytes: string | Buffer): Promise<Error | null | undefined> {
  return new Promise((resolve) => socket.write(bytes, resolve))
}

describe('A refused body', () => {
  it.each(['/files', '/nowhere', '/upload/accept', '/check?a=%'])(
    'to %s is read to its end before the connection is closed, so a late reader receives the response',
    async (target) => {
      const socket = await connectDeaf()
      const headers = { 'Content-Length': LENGTH, 'Content-Type': 'multipart/form-data', Connection: 'close' }
      expect(await write(socket, requestHead('POST', target, headers))).toBeFalsy()
      for (let sent = 0; sent < LENGTH; sent += LENGTH / 8) {
        expect(await write(socket, Buffer.alloc(LENGTH / 8))).toBeFalsy()
      }
      const received: Buffer[] = []
      socket.on('data', (bytes) => received.push(bytes)).resume()
      await once(socket, 'close')
      expect(Buffer.concat(received).toString()).toMatch(
        target.startsWith('/check') ? /^HTTP\/1.1 200/ : /^HTTP\/1.1 4\d\d/,
      )
    },
  )
})
