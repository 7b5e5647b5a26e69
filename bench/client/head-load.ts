import { once } from 'node:events'
import net from 'node:net'
import { headOf } from './connection.ts'
import { TUS } from './tus.ts'

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const STATUS_AT = 'HTTP/1.1 '.length
const SUCCESS = '2'.charCodeAt(0)

/** Shared by all sockets: each read is processed before the next one. */
const received = Buffer.alloc(64 * 1024)

/**
 * Repeats HEAD over `clients` connections for `duration` milliseconds. The request is prepared once, and only status
 * and end of a response are parsed: a complete client would cost more than the server.
 *
 * @returns the number of responses and the seconds they took.
 * @throws Error when a response is no success or a connection breaks.
 */
export async function headLoad(
  port: number,
  path: string,
  clients: number,
  duration: number,
): Promise<{ readonly answers: number; readonly seconds: number }> {
  const request = Buffer.from(headOf('HEAD', path, port, TUS))
  const begin = performance.now()
  const deadline = begin + duration
  const counts = await Promise.all(Array.from({ length: clients }, () => ask(port, request, deadline)))
  const answers = counts.reduce((sum, count) => sum + count, 0)
  return { answers, seconds: (performance.now() - begin) / 1000 }
}

async function ask(port: number, request: Buffer, deadline: number): Promise<number> {
  let answers = 0
  let matched = 0
  let begins = true
  let wrong = false
  const socket = net.connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: { buffer: received, callback: (length) => take(length) },
  })
  const take = (length: number): true => {
    if (begins && received[STATUS_AT] !== SUCCESS) wrong = true
    begins = false
    for (let at = 0; at < length; at++) {
      matched = received[at] === END_OF_HEAD[matched] ? matched + 1 : received[at] === END_OF_HEAD[0] ? 1 : 0
      if (matched === END_OF_HEAD.length) {
        matched = 0
        begins = true
        answers++
        if (wrong || performance.now() >= deadline) socket.destroy()
        else socket.write(request)
      }
    }
    return true
  }
  socket.write(request)
  await once(socket, 'close')
  if (wrong) throw new Error('A HEAD was not answered with success.')
  if (performance.now() < deadline) throw new Error('The server closed a connection between two HEADs.')
  return answers
}
