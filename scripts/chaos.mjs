// `npm run chaos -- --minutes 30 --seed 1`: runs plans of the crash test, each on its own directory.
// `npm run chaos -- --kills 1000`: the same until so many kills, however long that takes.
// `npm run chaos:s3 -- --kills 500 --lanes 6`: the same on a bucket, several plans at a time.
// `npm run chaos:cluster -- --rounds 300`: three nodes on a bucket, one disturbance in each round.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const PLACES = {
  disk: { test: 'test/crash/crash.test.ts', amounts: { minutes: '30', kills: '0' } },
  s3: { test: 'test/crash/s3-crash.test.ts', amounts: { kills: '500', lanes: '6' } },
  cluster: { test: 'test/crash/cluster.test.ts', amounts: { rounds: '300' } },
}
const [name = 'disk', ...args] = process.argv[2]?.startsWith('--')
  ? ['disk', ...process.argv.slice(2)]
  : process.argv.slice(2)
const place = PLACES[name]
if (place === undefined) {
  console.error(`${name} is none of ${Object.keys(PLACES).join(', ')}.`)
  process.exit(1)
}
const defaults = { ...place.amounts, seed: String(Date.now() % 2 ** 32) }
const options = Object.fromEntries(
  Object.entries(defaults).map(([option, value]) => [option, { type: 'string', default: value }]),
)
const { values } = parseArgs({ args, options })
for (const [option, text] of Object.entries(values)) {
  if (/^\d{1,10}$/.test(text)) continue
  console.error(`--${option} must be a whole number.`)
  process.exit(1)
}
console.error(`Seed ${values.seed} (repeats the same uploads and kills)`)
const { seed, ...amounts } = values
const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', place.test], {
  env: {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    ...Object.fromEntries(Object.entries(amounts).map(([option, text]) => [`CHAOS_${option.toUpperCase()}`, text])),
    CRASH_SEED: seed,
  },
  stdio: 'inherit',
})
jest.once('exit', (code) => process.exit(code ?? 1))
