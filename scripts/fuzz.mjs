// `npm run fuzz -- --minutes 10 --parser tus --seed 1`: sends nearly valid requests to the built program.
// `--path` resumes where a failure says; without `--parser`, all parsers are tested in turn.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const PARSERS = ['tus', 'draft', 'multipart', 'query', 'check', 'download', 'http']

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    parser: { type: 'string' },
    path: { type: 'string' },
  },
})
const { minutes, seed, parser, path } = values
const wrong =
  (!/^\d{1,5}$/.test(minutes) && '--minutes must be a whole number.') ||
  (!/^-?\d{1,10}$/.test(seed) && '--seed must be a whole number.') ||
  (parser !== undefined && !PARSERS.includes(parser) && `--parser must be one of ${PARSERS.join(', ')}.`) ||
  (path !== undefined && !/^\d+(:\d+)*$/.test(path) && '--path must be numbers separated by colons.')
if (wrong) {
  console.error(wrong)
  process.exit(1)
}
console.error(`Seed ${seed} (repeats the same requests)`)
const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', 'test/fuzz/fuzz.test.ts'], {
  env: {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    FUZZ_MINUTES: minutes,
    FUZZ_SEED: seed,
    ...(parser === undefined ? {} : { FUZZ_PARSER: parser }),
    ...(path === undefined ? {} : { FUZZ_PATH: path }),
  },
  stdio: 'inherit',
})
jest.once('exit', (code) => process.exit(code ?? 1))
