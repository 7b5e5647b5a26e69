// npm run test:tusd: builds tusd, runs the receivers of its examples as they are, compares its hooks with those of
// Landfall, and imports its uploads. Arguments are those of jest: import runs only that test.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const TUSD = 'github.com/tus/tusd/v2'
const VERSION = 'v2.9.2'
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
/** The programs that tusd and its examples need, with their Debian packages. */
const PROGRAMS = { go: 'golang-go', jq: 'jq', python3: 'python3' }

/** @returns the output of a command. Exits if it fails. */
function outputOf(program, args, environment = {}) {
  const { status, stdout } = spawnSync(program, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (status === 0) return stdout
  console.error(`"${program} ${args.join(' ')}" failed. Nothing was tested.`)
  process.exit(1)
}

const missing = Object.keys(PROGRAMS).filter((name) => spawnSync('which', [name], { stdio: 'ignore' }).status !== 0)
if (missing.length > 0) {
  const packages = missing.map((name) => PROGRAMS[name]).join(' ')
  console.error(`These tests need ${missing.join(', ')}. Install with: apt-get install --yes ${packages}`)
  process.exit(1)
}

const folder = mkdtempSync(path.join(tmpdir(), 'landfall-tusd-'))
try {
  const module = JSON.parse(outputOf('go', ['mod', 'download', '-json', `${TUSD}@${VERSION}`]))
  outputOf('go', ['install', `${TUSD}/cmd/tusd@${VERSION}`], { GOBIN: folder })
  const jest = path.join(PROJECT, 'node_modules/jest/bin/jest.js')
  const config = path.join(PROJECT, 'test/tusd/jest.config.js')
  const { status } = spawnSync(process.execPath, [jest, '-w', '1', '--config', config, ...process.argv.slice(2)], {
    cwd: PROJECT,
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
      TUSD: path.join(folder, 'tusd'),
      TUSD_EXAMPLES: path.join(module.Dir, 'examples'),
    },
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
