// `npm run test:grafana`: checks the dashboard by the schema that Grafana publishes, and that a dashboard with a fault is
// refused. That needs Go.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = path.join(ROOT, 'node_modules/.cache/grafana')
const CHECK = path.join(CACHE, 'check')
const DASHBOARD = path.join(ROOT, 'deploy/grafana/landfall.json')

mkdirSync(CACHE, { recursive: true })
const built = spawnSync('go', ['build', '-trimpath', '-o', CHECK, '.'], {
  cwd: path.join(ROOT, 'test/deploy/grafana'),
  env: { ...process.env, CGO_ENABLED: '0' },
  stdio: ['ignore', 'ignore', 'inherit'],
})
if (built.status !== 0) fail('The check could not be built; it needs Go.')

const { status, stdout } = conforms(DASHBOARD)
if (status !== 0) fail(`landfall.json does not conform:\n${stdout}`)
const faulty = JSON.parse(readFileSync(DASHBOARD, 'utf8'))
faulty.panels.find(({ type }) => type === 'timeseries').options.legend.place = 'bottom'
const file = path.join(CACHE, 'faulty.json')
writeFileSync(file, JSON.stringify(faulty))
if (conforms(file).status !== 1) fail('A dashboard with an unknown field is not refused.')
console.log(`ok: ${stdout.trim()}`)

function conforms(dashboard) {
  return spawnSync(CHECK, [dashboard], { encoding: 'utf8' })
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}
