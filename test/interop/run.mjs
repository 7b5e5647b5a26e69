// npm run test:interop: installs third-party clients into node_modules/.cache/interop, each with the package manager of
// its language, and runs them against the built program. --publish writes the results to docs/clients.md.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { publish } from './publish.mjs'

const CLIENTS = fileURLToPath(new URL('clients', import.meta.url))
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/interop', import.meta.url))
const NPM_INSTALL = 'npm install --no-audit --no-fund --ignore-scripts --loglevel=error'

/** A directory of clients: the commands that install it, and the programs that it needs with their Debian packages. */
const TOOLCHAINS = [
  { folder: 'curl', programs: { curl: 'curl' }, commands: [] },
  { folder: 'node', programs: {}, commands: [NPM_INSTALL] },
  {
    folder: 'uppy',
    programs: { [process.env.CHROMIUM ?? '/usr/bin/chromium']: 'chromium' },
    commands: [NPM_INSTALL, 'node bundle.mjs'],
  },
  {
    folder: 'python',
    programs: { python3: 'python3 python3-pip' },
    commands: [
      'python3 -m pip install --quiet --root-user-action=ignore --target packages --requirement requirements.txt',
    ],
  },
  {
    folder: 'java',
    programs: { javac: 'default-jdk-headless', mvn: 'maven' },
    commands: [
      'mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=lib',
      'javac -cp lib/* -d classes Tus.java Forms.java',
    ],
  },
  { folder: 'go', programs: { go: 'golang-go' }, commands: ['go build -o forms .'] },
  // The target directory is outside of it: a full build takes minutes.
  { folder: 'rust', programs: { cargo: 'cargo' }, commands: ['cargo build --quiet --target-dir ../rust-target'] },
]

function refuseWithoutPrograms() {
  const missing = TOOLCHAINS.flatMap(({ programs }) => Object.entries(programs)).filter(
    ([program]) => spawnSync('which', [program], { stdio: 'ignore' }).status !== 0,
  )
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name).join(' ')
  console.error(
    `These tests need ${missing.map(([program]) => program).join(', ')}. Nothing was tested. ` +
      `Install with: apt-get install --yes --no-install-recommends ${packages}`,
  )
  process.exit(1)
}

/** Changes whenever the directory must be installed again. */
function digestOf({ folder, commands }) {
  const hash = createHash('sha256').update(JSON.stringify([process.version, commands]))
  for (const name of readdirSync(path.join(CLIENTS, folder), { recursive: true }).sort()) {
    const file = path.join(CLIENTS, folder, name)
    if (statSync(file).isFile()) hash.update(name).update(readFileSync(file))
  }
  return hash.digest('hex')
}

function install(toolchain) {
  const { folder, commands } = toolchain
  const place = path.join(CACHE, folder)
  const stamp = path.join(place, '.installed-from')
  const digest = digestOf(toolchain)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  console.log(`Installing the clients in test/interop/clients/${folder}.`)
  rmSync(place, { recursive: true, force: true })
  cpSync(path.join(CLIENTS, folder), place, { recursive: true })
  for (const command of commands) {
    const [program, ...args] = command.split(' ')
    const { status } = spawnSync(program, args, { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) {
      console.error(`"${command}" failed in ${place}. Nothing was tested.`)
      process.exit(1)
    }
  }
  writeFileSync(stamp, digest)
}

refuseWithoutPrograms()
mkdirSync(CACHE, { recursive: true })
for (const toolchain of TOOLCHAINS) install(toolchain)

const args = process.argv.slice(2)
const results = path.join(CACHE, 'results.json')
const { status } = spawnSync(
  'npx',
  [
    ...['jest', '--config', 'test/interop/jest.config.js', '--json', '--outputFile', results],
    ...args.filter((arg) => arg !== '--publish'),
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' },
  },
)
if (args.includes('--publish')) publish(results)
process.exit(status ?? 1)
