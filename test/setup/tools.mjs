// Finds the programs that tests need beside npm's packages, and installs them where that is possible.
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const INSTALL = 'apt-get install -y --no-install-recommends chromium fonts-noto-cjk'

if (!existsSync('/usr/bin/chromium') && process.env.CHROMIUM === undefined) {
  const isRoot = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
  if (!isRoot) {
    console.error(`The tests need Chromium. Install it with: sudo ${INSTALL}\nor set CHROMIUM to its path.`)
    process.exit(1)
  }
  for (const command of ['apt-get update', INSTALL]) {
    const [program, ...args] = command.split(' ')
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) {
      console.error(`"${command}" failed; the tests need Chromium.`)
      process.exit(1)
    }
  }
}

// Where Python is, its tus client takes part, too.
const TUSPY = fileURLToPath(new URL('../../node_modules/.cache/tuspy', import.meta.url))
if (!existsSync(TUSPY)) {
  const made = spawnSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', `${TUSPY}.new`, 'tuspy'], {
    stdio: 'ignore',
  })
  if (made.status === 0) renameSync(`${TUSPY}.new`, TUSPY)
  else rmSync(`${TUSPY}.new`, { recursive: true, force: true })
}
