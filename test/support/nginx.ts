import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './folder.ts'
import { freePort } from './free-port.ts'
import { until } from './wire.ts'

const CONFIGURATION = fileURLToPath(new URL('../../deploy/nginx/landfall.conf', import.meta.url))

/** An nginx in front of a service. */
export interface Nginx {
  /** `http://127.0.0.1:port` */
  readonly url: string
  close(): Promise<void>
}

/** Starts nginx with the configuration of the deployment, but without TLS and on a free port. */
export async function startNginx(target: string): Promise<Nginx> {
  const folder = await temporaryFolder()
  const port = await freePort()
  const deployed = await readFile(CONFIGURATION, 'utf8')
  const configuration = deployed
    .replace(/ {4}server \{\s+listen 80;[^}]*\}/, '')
    .replace(/^.*\b(resolver|resolver_timeout|ssl_\w+|access_log|error_log|set) .*$/gm, '')
    .replace(/listen 443 ssl;/, `listen 127.0.0.1:${port};`)
    .replace(/proxy_pass .*;/, `proxy_pass ${target};`)
    .replace(
      'http {',
      `http {\naccess_log off;\nerror_log stderr warn;\nclient_body_temp_path ${folder.path}/body;\nproxy_temp_path ${folder.path}/proxy;`,
    )
  const file = path.join(folder.path, 'nginx.conf')
  await writeFile(file, `pid ${folder.path}/pid;\n${configuration}`)
  const child = spawn('/usr/sbin/nginx', ['-e', 'stderr', '-c', file, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${errors}`)
    return answers(port)
  })
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
      await folder.dispose()
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
