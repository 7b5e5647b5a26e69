import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

/** How the client ends a connection after the last byte: it waits for the server, closes, or resets at once. */
export type Ending = 'wait' | 'close' | 'reset'

/** The result of a connection. */
export interface Exchange {
  /** One character per byte. */
  readonly received: string
  /** Whether the client ended it first. */
  readonly isCut: boolean
}

/** Maximum silence of a server that may be waiting for more bytes, in milliseconds. */
const QUIET = 20
/** Maximum wait for a response, or the end of a connection, in milliseconds: longer than any wait in the server. */
const LONGEST = 30_000

/**
 * Sends pieces over a new connection and collects the responses.
 *
 * @param mustAnswer whether the server has everything that it needs; otherwise the client ends the connection after a
 * silence.
 * @throws Error if the server neither responds nor closes the connection.
 */
export async function exchange(
  port: number,
  pieces: readonly Buffer[],
  ending: Ending,
  mustAnswer: boolean,
): Promise<Exchange> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  const received: Buffer[] = []
  let isCut = false
  const closed = new Promise<void>((resolve) => {
    socket.on('error', () => undefined).once('close', () => resolve())
  })
  const finish = (): void => {
    isCut = true
    socket.end()
  }
  socket.on('data', (bytes) => received.push(bytes))
  for (const piece of pieces) {
    if (socket.destroyed || !socket.writable) break
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()))
    await turn()
  }
  if (ending !== 'wait') {
    isCut = true
    if (ending === 'reset') socket.resetAndDestroy()
    else socket.destroy()
  } else if (!mustAnswer) {
    socket.setTimeout(QUIET, finish)
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), LONGEST)
  })
  const outcome = await Promise.race([closed, late])
  clearTimeout(timer)
  socket.destroy()
  const text = Buffer.concat(received).toString('latin1')
  if (outcome === 'late')
    throw new Error(`The server keeps the connection open, after ${JSON.stringify(text.slice(0, 300))}`)
  return { received: text, isCut }
}
