import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'

/** How often a node is asked whether it is ready, and how long it may take, in milliseconds. */
const CHECK_EVERY = 500
const CHECK_TIMEOUT = 2_000

/**
 * A balancer that sends a client to the same node: requests for `/files/<id>` by their path, all others by the address
 * of the client. It repeats no request that a node may have seen, and cuts off those of a node that is not ready.
 */
export interface Balancer {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** Sends clients to other nodes from now on, except those of running requests. */
  rehash(): void
  close(): Promise<void>
}

interface Node {
  readonly url: URL
  isReady: boolean
  readonly running: Set<http.ClientRequest>
}

/** @param urls of the nodes, which may be down. */
export async function startBalancer(urls: readonly string[]): Promise<Balancer> {
  const nodes = urls.map((url): Node => ({ url: new URL(url), isReady: true, running: new Set() }))
  let salt = 0

  /** The nodes in the order in which a request tries them. */
  const nodesFor = (key: string): readonly Node[] => {
    const weight = ({ url }: Node): string => createHash('sha1').update(`${salt} ${key} ${url.port}`).digest('hex')
    return nodes.filter(({ isReady }) => isReady).toSorted((a, b) => (weight(a) < weight(b) ? -1 : 1))
  }

  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://any')
    const key = /^\/files\/./.test(pathname) ? pathname : (request.socket.remoteAddress ?? '')
    forward(request, response, [...nodesFor(key)])
  })
  server.requestTimeout = 0
  server.listen(0)
  await once(server, 'listening')

  const checks = nodes.map((node) => setInterval(() => void check(node), CHECK_EVERY))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The balancer does not listen.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    rehash: () => {
      salt += 1
    },
    close: async () => {
      for (const timer of checks) clearInterval(timer)
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Sends a request to the first node to which a connection opens. */
function forward(request: http.IncomingMessage, response: http.ServerResponse, nodes: Node[]): void {
  const node = nodes.shift()
  if (node === undefined) return void response.writeHead(503).end()
  const { method, url: path, rawHeaders } = request
  const { hostname, port } = node.url
  const sent = http.request({ hostname, port, method, path, headers: rawHeaders, agent: false })
  let isConnected = false
  node.running.add(sent)
  sent.once('socket', (socket: net.Socket) =>
    socket.once('connect', () => {
      isConnected = true
      request.pipe(sent)
    }),
  )
  sent.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    response.flushHeaders()
    answer.on('error', () => request.socket.destroy()).pipe(response)
  })
  sent.once('close', () => node.running.delete(sent))
  sent.on('error', () => {
    if (isConnected || response.destroyed) request.socket.destroy()
    else forward(request, response, nodes)
  })
  response.once('close', () => {
    if (!response.writableFinished) sent.destroy()
  })
}

async function check(node: Node): Promise<void> {
  const isReady = await fetch(new URL('/readyz', node.url), { signal: AbortSignal.timeout(CHECK_TIMEOUT) }).then(
    ({ ok }) => ok,
    () => false,
  )
  node.isReady = isReady
  if (!isReady) for (const request of node.running) request.destroy()
}
