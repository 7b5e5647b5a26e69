import { once } from 'node:events'
import net from 'node:net'
import { Random } from './random.ts'

/** A faulty network: it breaks connections at random places, a limited number of times. */
export interface FaultyProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** How many connections it has broken. */
  readonly cuts: number
  close(): Promise<void>
}

/**
 * Starts a proxy in front of a service.
 *
 * @param most maximum number of cuts; then everything passes.
 * @param longest maximum bytes before a connection breaks.
 */
export async function startFaultyProxy(
  target: string,
  seed: number,
  most: number,
  longest: number,
): Promise<FaultyProxy> {
  const random = new Random(seed)
  const { hostname, port } = new URL(target)
  const sockets = new Set<net.Socket>()
  let cuts = 0
  const server = net.createServer((client) => {
    const service = net.connect({ host: hostname, port: Number(port) })
    let left = cuts < most ? random.size(1, longest) : Number.POSITIVE_INFINITY
    const cut = (): void => {
      client.destroy()
      service.destroy()
    }
    const pass = (from: net.Socket, to: net.Socket): void => {
      sockets.add(from)
      from.on('error', cut).on('close', () => {
        sockets.delete(from)
        cut()
      })
      from.on('data', (bytes) => {
        left -= bytes.length
        if (left <= 0 && !from.destroyed) {
          cuts += 1
          // The bytes before the cut still arrive.
          to.end(bytes.subarray(0, bytes.length + left))
          from.destroy()
          return
        }
        if (!to.write(bytes)) from.pause()
      })
      to.on('drain', () => from.resume())
    }
    pass(client, service)
    pass(service, client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    get cuts() {
      return cuts
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
