import { once } from 'node:events'
import type http from 'node:http'

/** Listens on a free port of this host. @returns `http://127.0.0.1:port`. */
export async function listenLocally(server: http.Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen.')
  return `http://127.0.0.1:${address.port}`
}

/** Ends a server and its connections. */
export async function closeServer(server: http.Server): Promise<void> {
  if (!server.listening) return
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
