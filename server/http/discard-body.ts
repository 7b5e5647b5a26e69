import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import { traceOf } from './trace.ts'

/** How much of a refused body is discarded, in bytes, and for how long, in milliseconds. */
const MAX_BYTES = 128 * 1024 * 1024
const MAX_DURATION = 60_000
/** How long the response stays unfinished while no data arrives. Milliseconds. */
const MAX_PAUSE = 5_000

/**
 * Responds with `ctx.body`, a text, and discards what the client is still sending. A browser sends its body before it
 * reads the response; it must not see a reset instead. The whole text is sent at once, but the response ends only after
 * the body, because Node may close the connection then. A client that sends for too long is disconnected.
 */
export function discardBody(ctx: Context): void {
  const { req, res, body } = ctx
  if (req.complete || req.destroyed) return
  const end = discard(req)
  if (ctx.method === 'HEAD' || typeof body !== 'string') return
  ctx.respond = false
  res.write(body)
  void end.then(() => res.end())
}

/** Resolves when the body has ended, or after a pause of `MAX_PAUSE`; discarding continues after that. */
function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = request
    const longest = setTimeout(() => socket.destroy(), MAX_DURATION)
    const quiet = setTimeout(resolve, MAX_PAUSE)
    // After the response, Node no longer emits the end of the connection on the request, only on the socket.
    const done = (): void => {
      clearTimeout(longest)
      clearTimeout(quiet)
      socket.off('close', done)
      resolve()
    }
    let left = MAX_BYTES
    const trace = traceOf(request)
    request.on('data', (bytes: Buffer) => {
      quiet.refresh()
      if (trace !== undefined) trace.received += bytes.length
      left -= bytes.length
      if (left < 0) socket.destroy()
    })
    request.on('error', () => undefined)
    request.once('end', done)
    socket.once('close', done)
    request.resume()
  })
}
