// `npm run test:prometheus`: checks the alert rules and the scrape configuration with promtool, and when each alert
// fires. promtool is installed into the cache unless it is there, without the service discoveries, which would take most
// of its build; that needs Go.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = path.join(ROOT, 'node_modules/.cache/prometheus')
const DEPLOY = path.join(ROOT, 'deploy/prometheus')
const TESTS = path.join(ROOT, 'test/deploy/prometheus-rules.yml')
const PROMTOOL = 'github.com/prometheus/prometheus/cmd/promtool@v0.316.0'

const promtool = program()
const failures = []
check('alerts.yml', ['check', 'rules', '--lint=all', '--lint-fatal', `${DEPLOY}/alerts.yml`])
check('scrape.yml', ['check', 'config', `${DEPLOY}/scrape.yml`])
check('prometheus-rules.yml', ['test', 'rules', '--diff', TESTS])
const rules = readFileSync(`${DEPLOY}/alerts.yml`, 'utf8')
const tests = readFileSync(TESTS, 'utf8')
for (const [, name] of rules.matchAll(/- alert: (\w+)/g)) {
  if (!new RegExp(`alertname: ${name}\n\\s+exp_alerts:`).test(tests)) failures.push(`No test lets ${name} fire.`)
}
if (failures.length > 0) {
  console.error(failures.join('\n\n'))
  process.exit(1)
}

function program() {
  if (spawnSync('promtool', ['--version']).status === 0) return 'promtool'
  const installed = path.join(CACHE, 'promtool')
  if (existsSync(installed)) return installed
  mkdirSync(CACHE, { recursive: true })
  const args = ['install', '-tags=remove_all_sd', '-trimpath', '-ldflags=-s -w', PROMTOOL]
  const env = { ...process.env, GOBIN: CACHE, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto' }
  if (spawnSync('go', args, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) {
    console.error(`promtool could not be installed. Try: go ${args.join(' ')}`)
    process.exit(1)
  }
  return installed
}

function check(name, args) {
  const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: 'utf8' })
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: promtool ${args[0]} ${args[1]} ${name}`)
  if (status !== 0) failures.push(`${name}\n${stdout}${stderr}`)
}
