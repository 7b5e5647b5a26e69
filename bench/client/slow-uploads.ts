import { once } from 'node:events'
import net from 'node:net'
import { KIB, MIB } from '../sizes.ts'
import { Connection, headOf } from './connection.ts'
import { patternAt } from './pattern.ts'
import { create, OFFSET_STREAM, TUS } from './tus.ts'

const FIRST = 16 * KIB
const EVERY_SECOND = KIB

/** Open uploads that send very slowly. */
export interface SlowUploads {
  /** Starts all of them: 16 KiB immediately, then 1 KiB per second. @throws Error when a connection fails. */
  begin(): Promise<void>
  /** @throws Error when the server has responded to or closed one of them. */
  checkOpen(): void
  end(): void
}

/** Creates `count` uploads of 1 MiB without sending any bytes. */
export async function createSlowUploads(port: number, count: number): Promise<SlowUploads> {
  const connection = new Connection(port)
  const paths: string[] = []
  for (let at = 0; at < count; at++) paths.push(await create(connection, MIB))
  connection.close()
  const sockets: net.Socket[] = []
  let ended = 0
  let sent = FIRST
  const timer = setInterval(() => {
    for (const socket of sockets) socket.write(patternAt(sent, EVERY_SECOND))
    sent += EVERY_SECOND
  }, 1000)
  const open = async (path: string): Promise<void> => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => socket.destroy())
    await once(socket, 'connect')
    socket.once('data', () => socket.destroy())
    socket.once('close', () => ended++)
    const headers = { ...TUS, 'Upload-Offset': 0, 'Content-Type': OFFSET_STREAM, 'Content-Length': MIB }
    socket.write(headOf('PATCH', path, port, headers))
    socket.write(patternAt(0, FIRST))
    sockets.push(socket)
  }
  return {
    begin: async () => {
      await Promise.all(paths.map(open))
    },
    checkOpen: () => {
      if (ended > 0) throw new Error(`${ended} of ${count} open uploads were ended by the server.`)
    },
    end: () => {
      clearInterval(timer)
      for (const socket of sockets) socket.destroy()
    },
  }
}
