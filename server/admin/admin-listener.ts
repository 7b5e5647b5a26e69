import http from 'node:http'
import type { Logger } from 'pino'
import { MAX_HEAD_BYTES } from '../connections/request-head.ts'
import { listen, urlOfServer } from '../listening.ts'
import type { Settings } from '../settings.ts'

/** How long an administrator's connection may stay silent, in milliseconds. */
const MAX_SILENCE = 30_000

/** Maximum connections: administrators and monitoring are few. */
const MAX_CONNECTIONS = 256

/** The server for administrators and monitoring. */
export interface AdminListener {
  /** @returns `http://host:port`. @throws Error with a sentence for the operator when the port is not available. */
  listen(): Promise<string>
  /** Closes the port and all connections. */
  close(): Promise<void>
}

/** A server that does not listen yet. @param handler answers its requests. */
export function adminListener(
  settings: Pick<Settings, 'ADMIN_HOST' | 'ADMIN_PORT'>,
  handler: http.RequestListener,
  log: Logger,
): AdminListener {
  const server = http.createServer(
    { requestTimeout: MAX_SILENCE, headersTimeout: MAX_SILENCE, maxHeaderSize: MAX_HEAD_BYTES },
    handler,
  )
  server.maxConnections = MAX_CONNECTIONS
  return {
    listen: async () => {
      await listen(server, { HOST: settings.ADMIN_HOST, PORT: settings.ADMIN_PORT ?? 0 })
      const url = urlOfServer(server, settings.ADMIN_HOST)
      log.info({ url }, 'Administrators are served.')
      return url
    },
    close: async () => {
      if (!server.listening) return
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
