import { once } from 'node:events'
import http from 'node:http'

/** A server of another service. */
export interface StubServer {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** All requests so far. */
  readonly requests: readonly http.IncomingMessage[]
  /** Decides how requests are answered from now on. */
  answer(handler: (request: http.IncomingMessage, response: http.ServerResponse) => void): void
  close(): Promise<void>
}

export async function startStub(
  first: (request: http.IncomingMessage, response: http.ServerResponse) => void,
): Promise<StubServer> {
  let handler = first
  const requests: http.IncomingMessage[] = []
  const server = http.createServer((request, response) => {
    requests.push(request)
    handler(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    answer: (next) => {
      handler = next
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
