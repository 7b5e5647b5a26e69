// npm run test:import-tusd: builds tusd, unless TUSD names one, stops it in the middle of uploads, and imports them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const TUSD = 'github.com/tus/tusd/v2/cmd/tusd@v2.9.2'
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

const folder = mkdtempSync(path.join(tmpdir(), 'landfall-tusd-'))

/** @returns the path of tusd. */
function tusd() {
  if (process.env.TUSD) return path.resolve(process.env.TUSD)
  const { status } = spawnSync('go', ['install', TUSD], {
    env: { ...process.env, GOBIN: folder },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status === 0) return path.join(folder, 'tusd')
  throw new Error('tusd could not be built. Nothing was tested. Install Go with: apt-get install --yes golang-go')
}

try {
  const jest = path.join(PROJECT, 'node_modules/jest/bin/jest.js')
  const config = path.join(PROJECT, 'test/import-tusd/jest.config.js')
  const { status } = spawnSync(process.execPath, [jest, '-w', '1', '--config', config, ...process.argv.slice(2)], {
    cwd: PROJECT,
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
      TUSD: tusd(),
    },
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
