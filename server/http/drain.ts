import type { IncomingMessage } from 'node:http'

/** How much of a refused body is read away, in bytes, and for how long, in milliseconds. */
const MOST = 128 * 1024 * 1024
const LONGEST = 60_000

/**
 * Reads the rest of a refused body away, so that a browser, which sends before it listens, sees the answer and not a reset.
 * A client that goes on for too long is cut off.
 */
export function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), LONGEST)
  // Once the answer is sent, Node no longer tells a request that its connection was closed: the socket is asked, too.
  const done = (): void => {
    clearTimeout(timer)
    socket.off('close', done)
  }
  let left = MOST
  request.on('data', (bytes: Buffer) => {
    left -= bytes.length
    if (left < 0) socket.destroy()
  })
  request.on('error', () => undefined)
  request.once('end', done)
  socket.once('close', done)
  request.resume()
}
