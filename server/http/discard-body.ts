import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'

/** How much of a refused body is read away, in bytes, and for how long, in milliseconds. */
const MAX_BYTES = 128 * 1024 * 1024
const MAX_DURATION = 60_000
/** For how long an answer is kept from ending while nothing of the body comes. Milliseconds. */
const MAX_PAUSE = 5_000

/**
 * Answers with `ctx.body`, a text, and reads away what the client is still sending. A browser sends before it listens; it must see
 * the answer and not a reset. The whole answer goes out at once, but it ends only with the body, because a connection that is not
 * kept is closed then. A client that goes on for too long is cut off.
 */
export function discardBody(ctx: Context): void {
  const { req, res, body } = ctx
  if (req.complete || req.destroyed) return
  const end = discard(req)
  if (ctx.method === 'HEAD' || typeof body !== 'string') return
  ctx.respond = false
  res.write(body)
  end.then(() => res.end())
}

/** @returns when the body has ended or rests for `MAX_PAUSE`; it is read on after that. */
function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = request
    const longest = setTimeout(() => socket.destroy(), MAX_DURATION)
    const quiet = setTimeout(resolve, MAX_PAUSE)
    // Once the answer is sent, Node no longer tells a request that its connection was closed: the socket is asked, too.
    const done = (): void => {
      clearTimeout(longest)
      clearTimeout(quiet)
      socket.off('close', done)
      resolve()
    }
    let left = MAX_BYTES
    request.on('data', (bytes: Buffer) => {
      quiet.refresh()
      left -= bytes.length
      if (left < 0) socket.destroy()
    })
    request.on('error', () => undefined)
    request.once('end', done)
    socket.once('close', done)
    request.resume()
  })
}
