import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from './folder.ts'
import { freePort } from './free-port.ts'
import { until } from './wire.ts'

const CONFIGURATION = fileURLToPath(new URL('../../deploy/nginx/landfall.conf', import.meta.url))

/** An nginx in front of a service, for the names localhost and 127.0.0.1. */
export interface Nginx {
  /** `http://127.0.0.1:port` of a port that the deployment does not have: the secure server, without TLS. */
  readonly url: string
  /** `http://localhost:port` of the deployment. */
  readonly plainUrl: string
  /** `https://localhost:port` of the deployment. */
  readonly secureUrl: string
  /** The certificate of `localhost`, in PEM; it is its own authority. */
  readonly certificate: string
  /** What nginx has logged: the access log, then the error log. */
  log(): Promise<string>
  close(): Promise<void>
}

/** Starts nginx with the configuration of the deployment, on free ports, with a certificate of its own. */
export async function startNginx(target: string): Promise<Nginx> {
  const folder = await temporaryFolder()
  const [port, plainPort, securePort] = [await freePort(), await freePort(), await freePort()]
  const certificate = await makeCertificate(folder.path)
  const deployed = await readFile(CONFIGURATION, 'utf8')
  const configuration = deployed
    .replace(/^ *(resolver|resolver_timeout) .*$/gm, '')
    .replaceAll('PUBLIC_NAMES', 'localhost 127.0.0.1')
    .replaceAll(/\/(tmp|etc\/tls)\//g, `${folder.path}/`)
    .replace('/dev/stdout', `${folder.path}/access.log`)
    .replace('/dev/stderr', `${folder.path}/error.log`)
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port};\n$&`)
    .replaceAll('listen 80', `listen 127.0.0.1:${plainPort}`)
    .replaceAll('listen 443', `listen 127.0.0.1:${securePort}`)
    .replace('http://$landfall:1080', target)
  const stop = await runNginx(folder.path, configuration, port)
  return {
    url: `http://127.0.0.1:${port}`,
    plainUrl: `http://localhost:${plainPort}`,
    secureUrl: `https://localhost:${securePort}`,
    certificate,
    log: async () => {
      const logs = ['access.log', 'error.log'].map((name) => readFile(path.join(folder.path, name), 'utf8'))
      return (await Promise.all(logs)).join('')
    },
    close: async () => {
      await stop()
      await folder.dispose()
    },
  }
}

/**
 * Runs nginx with a configuration that listens on `port`, and waits until it does.
 *
 * @returns a function that stops it.
 */
export async function runNginx(folder: string, configuration: string, port: number): Promise<() => Promise<void>> {
  const file = path.join(folder, 'nginx.conf')
  await writeFile(file, configuration)
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
  return async () => {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }
}

async function makeCertificate(folder: string): Promise<string> {
  const file = path.join(folder, 'fullchain.pem')
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
    ...['-keyout', path.join(folder, 'privkey.pem'), '-out', file],
  ])
  return readFile(file, 'utf8')
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
