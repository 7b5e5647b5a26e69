// `npm run test:slow`: the tests that take too long for each run, one after the other. `-- --minutes 5` shortens those
// that run for a given time, `-- --only chaos,fuzz` chooses some. Each is a script of package.json as well. Exits with
// 1 if one of them fails.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, only: { type: 'string' } } })
const timed = ['--', '--minutes', values.minutes]

/** The arguments of each script. */
const SCRIPTS = {
  chaos: timed,
  'chaos:s3': [],
  'chaos:cluster': ['--', '--rounds', '30'],
  fuzz: timed,
  simulate: [],
  'head-race': [],
  'power-cut': [],
  'test:e2e:old-pages': [],
  'test:dialects': [],
  'test:firefox': [],
  'test:examples': [],
  'test:conformance': [],
  'test:interop': [],
  'test:tusd': [],
  'test:docs': [],
  'test:containers': [],
  'test:prometheus': [],
  'test:grafana': [],
  'test:upgrade': [],
  soak: timed,
}

const names = values.only?.split(',') ?? Object.keys(SCRIPTS)
const unknown = names.find((name) => !Object.hasOwn(SCRIPTS, name))
if (unknown !== undefined || !/^\d{1,5}$/.test(values.minutes)) {
  const scripts = Object.keys(SCRIPTS).join(', ')
  console.error(unknown === undefined ? '--minutes must be a whole number.' : `--only takes names from ${scripts}.`)
  process.exit(1)
}
const results = names.map((name) => {
  const args = ['run', name, ...SCRIPTS[name]]
  console.log(`\nnpm ${args.join(' ')}`)
  return { name, passed: spawnSync('npm', args, { stdio: 'inherit' }).status === 0 }
})
console.log(`\n${results.map(({ name, passed }) => `${passed ? 'passed' : 'failed'}  ${name}`).join('\n')}`)
if (results.some(({ passed }) => !passed)) process.exitCode = 1
