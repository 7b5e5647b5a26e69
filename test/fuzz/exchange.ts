import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

/** How this side ends a connection behind the last byte: it waits for the server, closes, or resets it at once. */
export type Ending = 'wait' | 'close' | 'reset'

/** What a connection brought. */
export interface Exchange {
  /** One character for each byte. */
  readonly received: string
  /** Whether this side ended it first. */
  readonly isCut: boolean
}

/** How long a server may be silent that may be waiting for more bytes, in milliseconds. */
const QUIET = 20
/** How long an answer, or the end of a connection, may take, in milliseconds: longer than anything in the server waits here. */
const LONGEST = 30_000

/**
 * Sends pieces over a new connection and takes what comes back.
 *
 * @param mustAnswer whether the server has got all that it needs; otherwise this side ends the connection when nothing comes.
 * @throws Error when the server neither answers nor closes the connection.
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
    throw new Error(`The server holds the connection, after ${JSON.stringify(text.slice(0, 300))}`)
  return { received: text, isCut }
}
