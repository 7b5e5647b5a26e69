import http from 'node:http'
import { readSettings } from './settings.ts'

/** Ends with 0 when the service on this machine answers, else with 1: for a container's HEALTHCHECK. */
function main(): void {
  const asked = readSettings(process.env, process.argv.slice(2))
  if (asked.kind === 'help') return
  const { HOST, PORT } = asked.settings
  const host = HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST
  const request = http.get({ host, port: PORT, path: '/healthz', timeout: 4000 })
  request.on('timeout', () => request.destroy(new Error('no answer within 4 seconds')))
  request.on('response', (response) => process.exit(response.statusCode === 200 ? 0 : 1))
  request.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
}

main()
