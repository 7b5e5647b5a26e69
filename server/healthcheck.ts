import http from 'node:http'
import { readSettings } from './read-settings.ts'
import type { Settings } from './settings.ts'

/** For a container's HEALTHCHECK: exits with 0 if the service on this host responds, else with 1. */
function main(): void {
  const command = readSettings(process.env, process.argv.slice(2))
  if (command.kind !== 'run') return
  const place = placeOf(command.settings)
  // Not below BASE_PATH: health checks are answered without it, too.
  const request = http.get({ ...place, path: '/livez', timeout: 4000 })
  request.on('timeout', () => request.destroy(new Error('No response within 4 seconds.')))
  request.on('response', (response) => process.exit(response.statusCode === 200 ? 0 : 1))
  request.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
}

/** Where to ask. A crowd of new connections that waits at the port of the service does not wait at that of administrators. */
function placeOf({ HOST, PORT, UNIX_SOCKET, ADMIN_HOST, ADMIN_PORT }: Settings): http.RequestOptions {
  if (ADMIN_PORT !== undefined && ADMIN_PORT !== 0) return { host: reachable(ADMIN_HOST), port: ADMIN_PORT }
  return UNIX_SOCKET === '' ? { host: reachable(HOST), port: PORT } : { socketPath: UNIX_SOCKET }
}

function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
}

main()
