import type http from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemCode } from './core/errors.ts'
import type { Settings } from './settings.ts'

/** Opens the port. @throws Error with a sentence for the operator when it is in use; the OS error. */
export function listen(server: http.Server, settings: Pick<Settings, 'HOST' | 'PORT'>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const taken = systemCode(error) === 'EADDRINUSE'
      reject(taken ? new Error(`Port ${settings.PORT} of ${settings.HOST} is in use. Choose another PORT.`) : error)
    })
    server.listen(settings.PORT, settings.HOST, resolve)
  })
}

/** `http://host:port` of a listening server. */
export function urlOfServer(server: http.Server, host: string): string {
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
