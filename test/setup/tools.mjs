// Finds the programs that tests need in addition to npm packages, and installs them where possible.
// With --missing, it only prints the Debian packages of those that are missing.
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const isThere = (program) => spawnSync('which', [program], { stdio: 'ignore' }).status === 0

const MISSING = [
  {
    name: 'Chromium',
    found: existsSync('/usr/bin/chromium') || process.env.CHROMIUM !== undefined,
    packages: 'chromium fonts-noto-cjk',
    otherwise: '\nor set CHROMIUM to its path.',
  },
  { name: 'clamd', found: existsSync('/usr/sbin/clamd'), packages: 'clamav-daemon', otherwise: '' },
  { name: 'Go', found: isThere('go'), packages: 'golang-go', otherwise: '' },
  { name: 'Python', found: isThere('python3'), packages: 'python3', otherwise: '' },
  { name: 'curl', found: isThere('curl'), packages: 'curl', otherwise: '' },
  { name: 'nginx', found: existsSync('/usr/sbin/nginx'), packages: 'nginx', otherwise: '' },
  { name: 'openssl', found: isThere('openssl'), packages: 'openssl', otherwise: '' },
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

// If Python is installed, its tus client takes part, too.
const TUSPY = fileURLToPath(new URL('../../node_modules/.cache/tuspy', import.meta.url))
if (!existsSync(TUSPY)) {
  const made = spawnSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', `${TUSPY}.new`, 'tuspy'], {
    stdio: 'ignore',
  })
  if (made.status === 0) renameSync(`${TUSPY}.new`, TUSPY)
  else rmSync(`${TUSPY}.new`, { recursive: true, force: true })
}
