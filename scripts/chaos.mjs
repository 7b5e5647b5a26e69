// `npm run chaos -- --minutes 30 --seed 1`: runs plans of the crash test, each on its own directory.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
})
for (const [name, text] of Object.entries(values)) {
  if (/^\d{1,10}$/.test(text)) continue
  console.error(`--${name} must be a whole number.`)
  process.exit(1)
}
console.error(`Seed ${values.seed} (repeats the same uploads and kills)`)
const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', 'test/crash/crash.test.ts'], {
  env: {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    CHAOS_MINUTES: values.minutes,
    CRASH_SEED: values.seed,
  },
  stdio: 'inherit',
})
jest.once('exit', (code) => process.exit(code ?? 1))
