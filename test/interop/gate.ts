import { EventEmitter, once } from 'node:events'
import net from 'node:net'

/** A proxy that passes a limited number of request bytes to a service. */
export interface Gate {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** Request bytes passed since the last `open`. */
  readonly passed: number
  /** Resolves when it holds bytes back. */
  readonly shut: Promise<void>
  /** Breaks all connections and passes later ones without a limit. */
  open(): void
  close(): Promise<void>
}

/** Starts a gate that shuts after `limit` request bytes. */
export async function startGate(target: string, limit: number): Promise<Gate> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<net.Socket>()
  const events = new EventEmitter()
  const shut = once(events, 'shut').then(() => undefined)
  let left = limit
  let passed = 0
  const server = net.createServer((client) => {
    const service = net.connect({ host: hostname, port: Number(port) })
    const cut = (): void => {
      client.destroy()
      service.destroy()
    }
    for (const socket of [client, service]) {
      sockets.add(socket)
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
    service.pipe(client)
    service.on('drain', () => client.resume())
    client.on('data', (bytes) => {
      const allowed = bytes.subarray(0, left)
      left -= allowed.length
      passed += allowed.length
      if (!service.write(allowed)) client.pause()
      if (allowed.length < bytes.length) {
        client.pause()
        service.removeAllListeners('drain')
        events.emit('shut')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The gate does not listen.')
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    get passed() {
      return passed
    },
    shut,
    open: () => {
      breakAll()
      left = Number.POSITIVE_INFINITY
      passed = 0
    },
    close: async () => {
      server.close()
      breakAll()
      await once(server, 'close')
    },
  }
}
