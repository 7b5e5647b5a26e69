// Runs the container tests with the installed engine: docker, podman, or those that ENGINE and COMPOSE name.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const CANDIDATES = [
  ['docker', 'docker compose'],
  ['podman', 'podman-compose'],
]

function works(command, args) {
  const [program, ...first] = command.split(' ')
  return spawnSync(program, [...first, ...args], { stdio: 'ignore' }).status === 0
}

function findTools() {
  const { ENGINE, COMPOSE } = process.env
  const candidates = ENGINE !== undefined && COMPOSE !== undefined ? [[ENGINE, COMPOSE]] : CANDIDATES
  return candidates.find(([engine, compose]) => works(engine, ['info']) && works(compose, ['version']))
}

const tools = findTools()
if (tools === undefined || !works('openssl', ['version'])) {
  console.error(
    'The container tests need a running engine with compose, and openssl: docker with its compose plugin, podman with ' +
      'podman-compose, or programs of your own named by ENGINE and COMPOSE. Nothing was tested.',
  )
  process.exit(1)
}

const certificate = mkdtempSync(path.join(tmpdir(), 'landfall-tls-'))
const made = spawnSync('openssl', [
  ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'],
  ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', path.join(certificate, 'privkey.pem')],
  ...['-out', path.join(certificate, 'fullchain.pem')],
])
if (made.status !== 0) throw new Error(`openssl created no certificate: ${made.stderr}`)

// Leftovers of an earlier run must not affect this one.
const [engine, ...engineArgs] = tools[0].split(' ')
spawnSync(engine, [...engineArgs, 'rmi', '-f', 'landfall:test'], { stdio: 'ignore' })

const { status } = spawnSync('npx', ['jest', '--config', 'test/containers/jest.config.js', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    ...process.env,
    ENGINE: tools[0],
    COMPOSE: tools[1],
    CERTIFICATE: certificate,
    NODE_EXTRA_CA_CERTS: path.join(certificate, 'fullchain.pem'),
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
  },
})
rmSync(certificate, { recursive: true })
process.exit(status ?? 1)
