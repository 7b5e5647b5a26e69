// `npm run fuzz -- --minutes 10 --parser tus --seed 1`: sends nearly valid requests to the built program.
// `--path` resumes where a failure says; without `--parser` or `--auth`, all are tested in turn.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const PARSERS = ['tus', 'draft', 'multipart', 'query', 'check', 'download', 'http', 'auth']
const AUTHS = ['none', 'jwt']

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    parser: { type: 'string' },
    auth: { type: 'string' },
    path: { type: 'string' },
  },
})
const { minutes, seed, parser, auth, path } = values
const wrong =
  (!/^\d{1,5}$/.test(minutes) && '--minutes must be a whole number.') ||
  (!/^-?\d{1,10}$/.test(seed) && '--seed must be a whole number.') ||
  (parser !== undefined && !PARSERS.includes(parser) && `--parser must be one of ${PARSERS.join(', ')}.`) ||
  (auth !== undefined && !AUTHS.includes(auth) && `--auth must be one of ${AUTHS.join(', ')}.`) ||
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
    ...(auth === undefined ? {} : { FUZZ_AUTH: auth }),
    ...(path === undefined ? {} : { FUZZ_PATH: path }),
  },
  stdio: 'inherit',
})
jest.once('exit', (code) => process.exit(code ?? 1))
