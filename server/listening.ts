import { chmod, lstat, rm } from 'node:fs/promises'
import type http from 'node:http'
import net, { type AddressInfo, type ListenOptions } from 'node:net'
import { systemCode } from './core/errors.ts'
import type { Settings } from './settings.ts'

/** The mode of a Unix socket: a proxy of its group may connect. */
const SOCKET_MODE = 0o660

/** Opens the port. @throws Error with a sentence for the operator when it is in use; the OS error. */
export function listen(server: http.Server, settings: Pick<Settings, 'HOST' | 'PORT'>): Promise<void> {
  const taken = `Port ${settings.PORT} of ${settings.HOST} is in use. Choose another PORT.`
  return begin(server, { port: settings.PORT, host: settings.HOST }, taken)
}

/**
 * Opens a Unix socket. A killed process leaves its socket: it is replaced if no process listens. Closing the server
 * removes it.
 *
 * @throws Error with a sentence for the operator when it is in use, or is another file; the OS error.
 */
export async function listenOnSocket(server: http.Server, path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSocket() === false) throw new Error(`UNIX_SOCKET ${path} exists, and is no socket. Choose another path.`)
  const taken = `Another process listens on the socket ${path}. Choose another UNIX_SOCKET.`
  if (found !== undefined) {
    if (await isAlive(path)) throw new Error(taken)
    await rm(path, { force: true })
  }
  await begin(server, { path }, taken)
  // Until then, only the owner can connect, unless the umask is unusual.
  await chmod(path, SOCKET_MODE)
}

/** `http://host:port` of a listening server, or `unix:path`. */
export function urlOfServer(server: http.Server, host: string): string {
  const address: AddressInfo | string | null = server.address()
  if (typeof address === 'string') return `unix:${address}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${address?.port ?? 0}`
}

function begin(server: http.Server, place: ListenOptions, taken: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(systemCode(error) === 'EADDRINUSE' ? new Error(taken) : error))
    server.listen(place, resolve)
  })
}

/** Whether a process listens on the socket. @throws the OS error when that is unknown. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      const code = systemCode(error)
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false)
      else reject(error)
    })
  })
}
