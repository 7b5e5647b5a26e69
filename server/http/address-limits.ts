import type { Server } from 'node:http'
import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import { PATIENCE } from '../core/patience.ts'
import type { Handler } from './routes.ts'

/** Closes connections of an address that has `most` open already; 0 for no limit. Behind a proxy all have the proxy's address. */
export function limitConnections(server: Server, most: number): void {
  if (most === 0) return
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? ''
    const count = open.get(address) ?? 0
    if (count >= most) {
      socket.destroy()
      return
    }
    open.set(address, count + 1)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}

/** The requests of one address that run, and those that wait for their turn. */
interface Line {
  running: number
  readonly waiting: Set<() => void>
}

/**
 * Lets each client address have `most` requests at a time for the handlers that it is given; 0 for no limit. Others wait with their
 * body unread, because WebUploader would give a file up. Of a proxy that is trusted its word about the address counts.
 *
 * @param patience how long a request waits, in milliseconds; then it throws UploadError `busy`.
 */
export function limitUploads(most: number, patience: number = PATIENCE): (handler: Handler) => Handler {
  const lines = new Map<string, Line>()
  const limited = async (handler: Handler, ctx: Context, id: string): Promise<void> => {
    const line = lines.get(ctx.ip) ?? { running: 0, waiting: new Set() }
    lines.set(ctx.ip, line)
    if (line.running < most) line.running += 1
    else await turnIn(line, patience)
    try {
      await handler(ctx, id)
    } finally {
      const [first] = line.waiting
      // The place goes to the first who waits, who counts as running from now on.
      if (first !== undefined) first()
      else line.running -= 1
      if (line.running === 0) lines.delete(ctx.ip)
    }
  }
  return (handler) => (most === 0 ? handler : (ctx, id) => limited(handler, ctx, id))
}

function turnIn({ waiting }: Line, patience: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiting.delete(begin)
      reject(new UploadError('busy', 'Too many uploads of your address are running; try again in a moment.'))
    }, patience)
    const begin = (): void => {
      clearTimeout(timer)
      waiting.delete(begin)
      resolve()
    }
    waiting.add(begin)
  })
}
