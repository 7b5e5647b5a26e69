// `npm run simulate -- --runs 60000 --seed 1`: simulates pages with similar files, to test which upload they reach.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '60000' }, seed: { type: 'string', default: '1' } },
})
for (const [name, text] of Object.entries(values)) {
  if (/^\d{1,10}$/.test(text)) continue
  console.error(`--${name} must be a whole number.`)
  process.exit(1)
}
const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', 'test/legacy-adapter/simulation.test.ts'], {
  env: {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    SIMULATED_RUNS: values.runs,
    SIMULATION_SEED: values.seed,
  },
  stdio: 'inherit',
})
jest.once('exit', (code) => process.exit(code ?? 1))
