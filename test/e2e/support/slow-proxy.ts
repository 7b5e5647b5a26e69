import { createServer, type IncomingMessage, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'

/** A request as it passes the proxy. */
export interface PassedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** Of the response; 0 before there is one. */
  status: number
}

/** A proxy that passes bodies slowly. */
export interface SlowProxy {
  readonly url: string
  readonly passed: readonly PassedRequest[]
  /** Bytes per second of each connection; as fast as it can by default. */
  limit(bytesPerSecond: number): void
  close(): Promise<void>
}

/**
 * Starts a proxy in front of the service at `target`.
 *
 * @param pages what it responds with itself, by path.
 */
export async function startSlowProxy(target: string, pages: ReadonlyMap<string, string>): Promise<SlowProxy> {
  const passed: PassedRequest[] = []
  let rate = Number.POSITIVE_INFINITY
  const server = createServer((asked, answer) => {
    const { method = 'GET', url = '/', headers } = asked
    const path = url.replace(/\?.*/, '')
    const page = pages.get(path)
    if (page !== undefined) {
      const type = path.endsWith('.js') ? 'text/javascript' : 'text/html'
      answer.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(page)
      return
    }
    const note: PassedRequest = { method, path: url, headers, status: 0 }
    passed.push(note)
    const passing = request(new URL(url, target), { method, headers }, (response) => {
      note.status = response.statusCode ?? 0
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    passing.on('error', () => answer.destroy())
    void pass(asked, passing, () => rate)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    passed,
    limit: (bytesPerSecond) => {
      rate = bytesPerSecond
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function pass(from: IncomingMessage, to: ReturnType<typeof request>, rate: () => number): Promise<void> {
  try {
    for await (const piece of from) {
      to.write(piece)
      const delay = (piece.length / rate()) * 1000
      if (delay > 0) await setTimeout(delay)
    }
    to.end()
  } catch {
    // The browser has cut the connection.
    to.destroy()
  }
}
