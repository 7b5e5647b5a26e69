// Finds the programs that tests need in addition to npm packages, and installs them where possible.
// With --missing, it only prints the Debian packages of those that are missing; with --firefox, Firefox is one of them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))

const isThere = (program) => spawnSync('which', [program], { stdio: 'ignore' }).status === 0

const MISSING = [
  {
    name: 'Chromium',
    found: existsSync('/usr/bin/chromium') || process.env.CHROMIUM !== undefined,
    packages: 'chromium fonts-noto-cjk',
    otherwise: '\nor set CHROMIUM to its path.',
  },
  {
    name: 'Firefox',
    found:
      !process.argv.includes('--firefox') || existsSync('/usr/bin/firefox-esr') || process.env.FIREFOX !== undefined,
    packages: 'firefox-esr',
    otherwise: '\nor set FIREFOX to its path.',
  },
  // The program, without a service that would take port 80.
  { name: 'Apache', found: existsSync('/usr/sbin/apache2'), packages: 'apache2-bin', otherwise: '' },
  { name: 'Caddy', found: isThere('caddy'), packages: 'caddy', otherwise: '' },
  { name: 'clamd', found: existsSync('/usr/sbin/clamd'), packages: 'clamav-daemon', otherwise: '' },
  { name: 'Go', found: isThere('go'), packages: 'golang-go', otherwise: '' },
  { name: 'HAProxy', found: existsSync('/usr/sbin/haproxy'), packages: 'haproxy', otherwise: '' },
  { name: 'Python', found: isThere('python3'), packages: 'python3', otherwise: '' },
  { name: 'curl', found: isThere('curl'), packages: 'curl', otherwise: '' },
  { name: 'logrotate', found: existsSync('/usr/sbin/logrotate'), packages: 'logrotate', otherwise: '' },
  { name: 'nginx', found: existsSync('/usr/sbin/nginx'), packages: 'nginx', otherwise: '' },
  { name: 'openssl', found: isThere('openssl'), packages: 'openssl', otherwise: '' },
  { name: 'systemd-analyze', found: isThere('systemd-analyze'), packages: 'systemd', otherwise: '' },
  { name: 'rsync', found: isThere('rsync'), packages: 'rsync', otherwise: '' },
  { name: 'strace', found: isThere('strace'), packages: 'strace', otherwise: '' },
].filter(({ found }) => !found)

const packages = MISSING.map((tool) => tool.packages).join(' ')
if (process.argv.includes('--missing')) {
  console.log(packages)
  process.exit(0)
}

if (MISSING.length > 0) {
  const install = `apt-get install -y --no-install-recommends ${packages}`
  const needs = `The tests need ${MISSING.map((tool) => tool.name).join(' and ')}.`
  const isRoot = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
  if (!isRoot) {
    console.error(`${needs} Install with: sudo ${install}${MISSING.map((tool) => tool.otherwise).join('')}`)
    process.exit(1)
  }
  for (const command of ['apt-get update', install]) {
    const [program, ...args] = command.split(' ')
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) {
      console.error(`"${command}" failed. ${needs}`)
      process.exit(1)
    }
  }
}

// An S3 for the tests of the store in a bucket, and a second one for those who ask for it.
installGo('versitygw-1.8.0', 'github.com/versity/versitygw/cmd/versitygw@v1.8.0', '1.25')
if (process.env.S3_ENGINE === 'minio')
  installGo('minio-20260212201848', 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c', '1.24')

// If Python is installed, its tus client takes part, too.
const TUSPY = path.join(CACHE, 'tuspy')
if (!existsSync(TUSPY)) {
  const made = spawnSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', `${TUSPY}.new`, 'tuspy'], {
    stdio: 'ignore',
  })
  if (made.status === 0) renameSync(`${TUSPY}.new`, TUSPY)
  else rmSync(`${TUSPY}.new`, { recursive: true, force: true })
}

/** Installs a Go program into a folder of the cache, unless it is there. @param version the oldest Go that builds it. */
function installGo(folder, source, version) {
  const target = path.join(CACHE, folder)
  if (existsSync(target)) return
  const unfinished = `${target}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  const args = ['install', '-trimpath', '-ldflags=-s -w', source]
  // An older Go, from 1.21 on, fetches the one that the program needs.
  const env = { ...process.env, GOBIN: unfinished, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto' }
  const { status } = spawnSync('go', args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status === 0) renameSync(unfinished, target)
  else {
    rmSync(unfinished, { recursive: true, force: true })
    console.error(
      `The tests need ${source}, which could not be built. It needs Go ${version} or newer (https://go.dev/dl):`,
    )
    console.error(`GOBIN=${target} CGO_ENABLED=0 go install -trimpath -ldflags="-s -w" ${source}`)
    process.exit(1)
  }
}
