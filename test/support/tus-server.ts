import { once } from 'node:events'
import http from 'node:http'
import { Server, type ServerOptions } from '@tus/server'
import type { DataStore } from '@tus/utils'

/** A running @tus/server. */
export interface TusServer {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly tus: Server
  close(): Promise<void>
}

/** Starts @tus/server on a store, with uploads at `/files`. */
export async function startTusServer(
  datastore: DataStore,
  options: Omit<Partial<ServerOptions>, 'path'> = {},
): Promise<TusServer> {
  const tus = new Server({ path: '/files', datastore, ...options })
  const server = http.createServer((req, res) => tus.handle(req, res)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    tus,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
