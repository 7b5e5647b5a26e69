import { createServer, request } from 'node:http'

/** A proxy that accepts no request above a size, as `client_max_body_size` of nginx does. */
export interface LimitingProxy {
  readonly url: string
  /** Requests that it has refused. */
  readonly refused: number
  close(): Promise<void>
}

/** Starts one in front of the service at `target`. @param most bytes. */
export async function startLimitingProxy(target: string, most: number): Promise<LimitingProxy> {
  let refused = 0
  const server = createServer((asked, answer) => {
    if (Number(asked.headers['content-length'] ?? 0) > most) {
      refused += 1
      answer.writeHead(413, { 'Content-Type': 'text/html' }).end('<html>Request Entity Too Large</html>')
      asked.resume()
      return
    }
    const { method = 'GET', headers } = asked
    const passed = request(new URL(asked.url ?? '/', target), { method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    get refused() {
      return refused
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
