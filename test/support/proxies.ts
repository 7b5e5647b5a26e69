/** The proxies of deploy/, each with the configuration that is shipped, before a service on this host. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from './folder.ts'
import { freePort } from './free-port.ts'
import { until } from './wire.ts'

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url))

/** A running proxy. */
export interface TestedProxy {
  /** `https://127.0.0.1:port`, or `http:` for Caddy, which would ask a public authority for its certificate. */
  readonly url: string
  /** The certificate, in PEM; it is its own authority. */
  readonly certificate: string
  /** Bytes that its processes have written to files. */
  written(): Promise<number>
  /** What it has logged. */
  log(): Promise<string>
  close(): Promise<void>
}

/** What it takes to run a proxy in a folder, before `target`, a host and a port. */
type Setup = (place: {
  readonly folder: string
  readonly port: number
  readonly plainPort: number
  readonly target: string
}) => Promise<{ readonly scheme: 'http' | 'https'; readonly command: readonly string[] }>

const setups = {
  nginx: async ({ folder, port, plainPort, target }) => {
    const deployed = await readFile(`${DEPLOY}/nginx/landfall.conf`, 'utf8')
    const configuration = deployed
      .replace(/^ *(resolver|resolver_timeout) .*$/gm, '')
      .replaceAll('PUBLIC_NAMES', 'localhost 127.0.0.1')
      .replaceAll(/\/(tmp|etc\/tls)\//g, `${folder}/`)
      .replace('/dev/stdout', `${folder}/access.log`)
      .replace('/dev/stderr', `${folder}/error.log`)
      .replaceAll('listen 80', `listen 127.0.0.1:${plainPort}`)
      .replaceAll('listen 443', `listen 127.0.0.1:${port}`)
      .replace('http://$landfall:1080', `http://${target}`)
    await writeFile(`${folder}/nginx.conf`, configuration)
    return {
      scheme: 'https',
      command: ['/usr/sbin/nginx', '-e', 'stderr', '-c', `${folder}/nginx.conf`, '-g', 'daemon off;'],
    }
  },
  haproxy: async ({ folder, port, plainPort, target }) => {
    const deployed = await readFile(`${DEPLOY}/haproxy/landfall.cfg`, 'utf8')
    const configuration = deployed
      .replace('bind :80', `bind 127.0.0.1:${plainPort}`)
      .replace('bind :443', `bind 127.0.0.1:${port}`)
      .replace('/etc/haproxy', folder)
      .replace('127.0.0.1:1080', target)
    await writeFile(`${folder}/landfall.cfg`, configuration)
    return { scheme: 'https', command: ['/usr/sbin/haproxy', '-db', '-f', `${folder}/landfall.cfg`] }
  },
  caddy: async ({ folder, port, target }) => {
    const deployed = await readFile(`${DEPLOY}/caddy/Caddyfile`, 'utf8')
    const configuration = deployed
      .replace(/^\{$/m, '{\n\tadmin off')
      .replace(/^uploads\.example\.com/m, `http://127.0.0.1:${port}`)
      .replace('127.0.0.1:1080', target)
    await writeFile(`${folder}/Caddyfile`, configuration)
    return { scheme: 'http', command: ['/usr/bin/caddy', 'run', '--config', `${folder}/Caddyfile`] }
  },
  apache: async ({ folder, port, plainPort, target }) => {
    const modules = ['mpm_event', 'authz_core', 'alias', 'asis', 'env', 'headers', 'logio', 'proxy', 'proxy_http']
    const all = [...modules, 'reqtimeout', 'setenvif', 'socache_shmcb', 'ssl']
    const found = all.filter((name) => existsSync(`/usr/lib/apache2/modules/mod_${name}.so`))
    const deployed = await readFile(`${DEPLOY}/apache/landfall.conf`, 'utf8')
    const host = deployed
      .replace('*:80', `127.0.0.1:${plainPort}`)
      .replace('*:443', `127.0.0.1:${port}`)
      .replaceAll('/etc/tls', folder)
      .replaceAll('/etc/landfall', `${folder}/pages`)
      .replace('/var/log/apache2', folder)
      .replace('127.0.0.1:1080', target)
    const lines = [
      `ServerRoot ${folder}`,
      `PidFile ${folder}/apache.pid`,
      `DefaultRuntimeDir ${folder}`,
      'ServerName localhost',
      'User nobody',
      'Group nogroup',
      `ErrorLog ${folder}/error.log`,
      ...found.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
      `Listen 127.0.0.1:${port}`,
      `Listen 127.0.0.1:${plainPort}`,
      host,
    ]
    await mkdir(`${folder}/pages`)
    await cp(`${DEPLOY}/apache/later.asis`, `${folder}/pages/later.asis`)
    await writeFile(`${folder}/apache.conf`, lines.join('\n'))
    return { scheme: 'https', command: ['/usr/sbin/apache2', '-DFOREGROUND', '-f', `${folder}/apache.conf`] }
  },
  traefik: async ({ folder, port, plainPort, target }) => {
    const fixed = await readFile(`${DEPLOY}/traefik/traefik.yml`, 'utf8')
    const routes = await readFile(`${DEPLOY}/traefik/landfall.yml`, 'utf8')
    const configuration = fixed
      .replace('":80"', `127.0.0.1:${plainPort}`)
      .replace('":443"', `127.0.0.1:${port}`)
      .replace('/etc/traefik', folder)
    // Host is the address, and the name in the handshake is that of the certificate.
    const routed = routes
      .replaceAll('Host(`uploads.example.com`)', '(Host(`localhost`) || Host(`127.0.0.1`))')
      .replaceAll('/etc/tls', folder)
      .replace('127.0.0.1:1080', target)
    await writeFile(`${folder}/traefik.yml`, configuration)
    await writeFile(`${folder}/landfall.yml`, routed)
    return { scheme: 'https', command: [TRAEFIK, `--configFile=${folder}/traefik.yml`] }
  },
} satisfies Record<string, Setup>

/** The program of Traefik, which Debian does not have: `npm run test:proxies` installs it. */
const { TRAEFIK = '' } = process.env

/** The proxies that can be started. */
export type ProxyName = keyof typeof setups
const PACKAGED: readonly ProxyName[] = ['nginx', 'haproxy', 'caddy', 'apache']
export const PROXIES: readonly ProxyName[] = TRAEFIK === '' ? PACKAGED : [...PACKAGED, 'traefik']

/** Starts a proxy before the service at `url`, and waits until it accepts connections. @throws Error with its output. */
export async function startProxy(name: ProxyName, url: string): Promise<TestedProxy> {
  const temporary = await temporaryFolder()
  const folder = temporary.path
  // Workers run as another user.
  await promisify(execFile)('chmod', ['755', folder])
  const certificate = await makeCertificate(folder)
  const [port, plainPort] = [await freePort(), await freePort()]
  const { scheme, command } = await setups[name]({ folder, port, plainPort, target: new URL(url).host })
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    // Whatever it buffers in files would be here.
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${output}`)
    return accepts(port)
  })
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    certificate,
    written: async () => {
      const counts = await Promise.all((await processesOf(child)).map(writtenBy))
      return counts.reduce((sum, bytes) => sum + bytes, 0)
    },
    log: async () => {
      const files = (await readdir(folder)).filter((file) => file.endsWith('.log'))
      const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')))
      return texts.join('') + output
    },
    close: async () => {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
      await temporary.dispose()
    },
  }
}

async function makeCertificate(folder: string): Promise<string> {
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', `${folder}/privkey.pem`, '-out', `${folder}/fullchain.pem`],
  ])
  const certificate = await readFile(`${folder}/fullchain.pem`, 'utf8')
  // HAProxy wants both in one file.
  await writeFile(`${folder}/landfall.pem`, certificate + (await readFile(`${folder}/privkey.pem`, 'utf8')))
  return certificate
}

/** A process and its descendants. */
async function processesOf({ pid }: ChildProcess): Promise<readonly number[]> {
  const found = [pid ?? 0]
  for (const parent of found) {
    const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '')
    found.push(...children.split(' ').filter(Boolean).map(Number))
  }
  return found
}

async function writtenBy(pid: number): Promise<number> {
  const counters = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '')
  return Number(/^write_bytes: (\d+)$/m.exec(counters)?.[1] ?? 0)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
