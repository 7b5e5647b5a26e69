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
  const cut = (): void => void request.socket.destroy()
  const timer = setTimeout(cut, LONGEST)
  let left = MOST
  request.on('data', (bytes: Buffer) => {
    left -= bytes.length
    if (left < 0) cut()
  })
  request.on('error', () => undefined)
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
  request.resume()
}
