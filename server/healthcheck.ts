import http from 'node:http'
import { readSettings } from './read-settings.ts'

/** For a container's HEALTHCHECK: exits with 0 if the service on this host responds, else with 1. */
function main(): void {
  const command = readSettings(process.env, process.argv.slice(2))
  if (command.kind !== 'run') return
  const { HOST, PORT, UNIX_SOCKET } = command.settings
  const host = HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST
  const place = UNIX_SOCKET === '' ? { host, port: PORT } : { socketPath: UNIX_SOCKET }
  // Not below BASE_PATH: health checks are answered without it, too.
  const request = http.get({ ...place, path: '/livez', timeout: 4000 })
  request.on('timeout', () => request.destroy(new Error('No response within 4 seconds.')))
  request.on('response', (response) => process.exit(response.statusCode === 200 ? 0 : 1))
  request.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
}

main()
