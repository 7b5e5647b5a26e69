import http, { type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { UploadError } from '../core/errors.ts'
import { limitConnections } from './connection-limit.ts'
import { holdBodies } from './expectation.ts'
import { Pipeline } from './pipeline.ts'
import type { Refuse } from './refusal.ts'
import { MAX_HEAD_BYTES, MAX_HEADER_LINES } from './request-head.ts'
import { boundHeads } from './unfinished-heads.ts'

/** Maximum time to send a request head. Milliseconds. */
const MAX_SILENCE = 65_000
/** Otherwise, that time exceeds `IDLE_TIMEOUT` by this much. Milliseconds. */
const GRACE = 5_000

/** The limits of a server's connections. */
export interface ConnectionLimits {
  /** When to disconnect a client that reads nothing of its response, in milliseconds. */
  readonly idleTimeout: number
  /** How long a connection may stay idle between two requests, in milliseconds. */
  readonly keepAlive: number
  /** Maximum connections per client address; 0 for no limit. */
  readonly most: number
}

/** The HTTP server and its graceful shutdown. */
export interface Connections {
  readonly server: http.Server
  /** Connections of clients that are open. */
  readonly open: number
  /**
   * Accepts no new connections, and waits for the running requests, for `timeout` milliseconds at most. Each response
   * announces that it closes the connection.
   */
  drain(timeout: number): Promise<void>
}

/**
 * A server that does not listen yet.
 *
 * @param refuse creates the response to requests that Node cannot parse; its own has no body.
 */
export function connections(
  handler: http.RequestListener,
  { idleTimeout, keepAlive, most }: ConnectionLimits,
  refuse: Refuse,
): Connections {
  const silence = Math.min(MAX_SILENCE, idleTimeout + GRACE)
  const server = http.createServer({
    // A body may take hours; RequestBody aborts it when no data arrives for IDLE_TIMEOUT.
    requestTimeout: 0,
    headersTimeout: silence,
    keepAliveTimeout: keepAlive,
    connectionsCheckingInterval: Math.min(30_000, silence),
    maxHeaderSize: MAX_HEAD_BYTES,
    // The application responds with a sentence.
    requireHostHeader: false,
  })
  server.maxHeadersCount = MAX_HEADER_LINES
  const open = new Map<Duplex, Pipeline>()
  let isUnixSocket = false
  server.once('listening', () => {
    isUnixSocket = typeof server.address() === 'string'
  })
  server.on('connection', (socket) => {
    // Node keeps the address that it has looked up once: after a reset, the OS no longer knows it. Without one, uploads
    // of this client would be charged to another network, and later chunks would not be its own.
    // Clients of a Unix socket never have one.
    if (!isUnixSocket && socket.remoteAddress === undefined) return void socket.destroy()
    open.set(socket, new Pipeline(socket, answerIfHeard, refuse))
    socket.once('close', () => open.delete(socket))
  })
  server.on('request', (request, response) => open.get(request.socket)?.add({ request, response }))
  server.on('clientError', (error, socket) => open.get(socket)?.fail(error))
  server.on('connect', ({ method = '', headers, socket: { remoteAddress: address = '' } }, socket) => {
    const error = new UploadError('unsupported_method', 'CONNECT is not supported: this service is not a proxy.')
    const refusal = refuse(error, { method, path: '', headers, address, hasBegun: true })
    socket.on('error', () => undefined).end(refusal, () => socket.destroy())
  })
  const answerIfHeard: http.RequestListener = (request, response) => {
    // The client can receive no response, but the bytes that have arrived are discarded.
    if (!request.socket.writable) request.resume()
    else answer(request, response)
  }
  const running = new Set<ServerResponse>()
  const answer: http.RequestListener = (request, response) => {
    running.add(response)
    if (!server.listening) response.shouldKeepAlive = false
    response.setTimeout(idleTimeout, () => {
      // Without unsent bytes, the service is still working, or the body is still arriving.
      if (response.writableLength > 0) response.destroy()
    })
    response.once('close', () => {
      running.delete(response)
      // A stopping server waits for responses, not for idle connections.
      setImmediate(() => server.listening || server.closeIdleConnections())
    })
    handler(request, response)
  }
  holdBodies(server)
  limitConnections(server, most)
  boundHeads(server, open)
  return {
    server,
    get open() {
      return open.size
    },
    drain: (timeout) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, timeout)
        server.close(() => {
          clearTimeout(timer)
          resolve()
        })
        for (const response of running) response.shouldKeepAlive = false
        server.closeIdleConnections()
        // Browsers open connections in advance; Node treats the first request of such a connection as running.
        for (const { socket } of open.values()) if (socket.bytesRead === 0) socket.destroy()
      }),
  }
}
