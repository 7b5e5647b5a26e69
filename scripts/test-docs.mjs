// `npm run test:docs [-- PAGE…]`: runs the commands of the documentation, each page in a new directory, in namespaces of
// its own (network, mounts, processes), against the built program. With --check, it runs none, and only checks that every
// block is marked, and that settings can be read. Commands of containers run if ENGINE and COMPOSE name programs.
//
// Comments before blocks say what they are: see docs-blocks.mjs.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseSettings } from '../dist/server/read-settings.js'
import { declaration } from '../dist/server/settings.js'
import { blocksOf, documentationPages, settingsIn } from './docs-blocks.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true })
const { ENGINE, COMPOSE } = process.env
const hasEngine = ENGINE !== undefined && COMPOSE !== undefined

/** The content of files with secrets, where it is not any long text. */
const SECRETS = new Map([['WEBHOOK_SECRET_FILE', `whsec_${Buffer.alloc(32).toString('base64')}`]])

const pages = documentationPages(ROOT)
const unknown = positionals.find((page) => !pages.includes(page))
if (unknown !== undefined) fail(`${unknown} is not a page of the documentation.`)
const read = (positionals.length > 0 ? positionals : pages).map((page) => ({ page, ...blocksOf(ROOT, page) }))
const faults = read.flatMap(({ page, blocks, faults }) => [
  ...faults,
  ...blocks
    .filter(({ kind }) => kind === 'settings')
    .flatMap(({ text, line }) => settingFaults(text, `${page}:${line}`)),
])
if (faults.length > 0) fail(faults.join('\n'))
const all = read.flatMap(({ blocks }) => blocks)
console.log(`${count('settings')} lists of settings can be read; every block is marked.`)
if (values.check) process.exit(0)

const isolated = ['--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
if (spawnSync('unshare', [...isolated, 'true']).status !== 0) {
  fail('The commands need namespaces (unshare of util-linux), as root or with user namespaces allowed. None was run.')
}
const failed = read.filter(({ page, blocks }) => {
  const own = blocks.filter(({ kind }) => ['run', 'run: service', 'file'].includes(kind))
  const inContainers = blocks.filter(({ kind }) => ['run: docker', 'file'].includes(kind))
  const results = [
    ...(own.some(isCommand) ? [runIsolated(page, own)] : []),
    ...(hasEngine && inContainers.some(isCommand) ? [runWithEngine(page, inContainers)] : []),
  ]
  if (results.length > 0) console.log(`${results.every(Boolean) ? 'passed' : 'failed'}  ${page}`)
  return !results.every(Boolean)
})
console.log(`${count('run') + count('run: service')} blocks were run on ${read.length} pages.`)
const containers = count('run: docker')
if (hasEngine) console.log(`${containers} blocks were run with containers.`)
else if (containers > 0) {
  console.log(
    `NOT run: ${containers} blocks with containers. Set ENGINE and COMPOSE, e.g. to "docker" and "docker compose".`,
  )
}
report('elsewhere', 'Left to')
report('shown', 'Not run, because the block')
if (failed.length > 0) fail(`Failed: ${failed.map(({ page }) => page).join(', ')}.`)

/** Prints how many blocks of a kind there are, by check or reason. */
function report(kind, words) {
  const blocks = all.filter((block) => block.kind === kind)
  for (const name of new Set(blocks.map((block) => block.name))) {
    console.log(`${words} ${name}: ${blocks.filter((block) => block.name === name).length}`)
  }
}

function count(kind) {
  return all.filter((block) => block.kind === kind && !block.isHidden).length
}

function isCommand({ kind, isHidden }) {
  return kind.startsWith('run') && !isHidden
}

function fail(sentences) {
  console.error(sentences)
  process.exit(1)
}

/** A sentence for every setting that does not exist or cannot be read. */
function settingFaults(text, place) {
  const settings = settingsIn(text)
  const strange = Object.keys(settings).filter((name) => !Object.hasOwn(declaration.shape, name.replace(/_FILE$/, '')))
  if (strange.length > 0) return [`${place}: there is no setting ${strange.join(', ')}.`]
  const texts = Object.entries(settings).map(([name, text]) =>
    name.endsWith('_FILE') ? [name.replace(/_FILE$/, ''), SECRETS.get(name) ?? 'a'.repeat(64)] : [name, text],
  )
  try {
    parseSettings(Object.fromEntries(texts))
    return []
  } catch (error) {
    return [`${place}: ${error.message}`]
  }
}

/** Runs the commands of a page one after the other, in one shell. @returns whether all of them succeeded. */
function runIsolated(page, blocks) {
  const folder = mkdtempSync(path.join(tmpdir(), 'landfall-docs-'))
  try {
    mkdirSync(path.join(folder, 'bin'))
    program(folder, 'landfall', `exec node '${ROOT}dist/program/main.js' "$@"`)
    // What npm ci, npm run build, and npm install of a package make is there already.
    const npm = `case "$*" in
ci|"run build") ;;
"install "*) test -d "node_modules/$2" ;;
*) exec '${which('npm')}' "$@" ;;
esac`
    program(folder, 'npm', npm)
    const work = path.join(folder, 'work')
    mkdirSync(work)
    for (const name of ['dist', 'node_modules']) symlinkSync(path.join(ROOT, name), path.join(work, name))
    for (const name of ['deploy', 'examples']) cpSync(path.join(ROOT, name), path.join(work, name), { recursive: true })
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    writeFileSync(path.join(work, 'package.json'), JSON.stringify({ scripts: { start: scripts.start } }))
    writeFileSync(path.join(folder, 'page.sh'), scriptOf(page, blocks))
    return succeeds('unshare', [...isolated, 'bash', '../page.sh'], {
      cwd: work,
      env: {
        PATH: `${path.join(folder, 'bin')}:${process.env.PATH}`,
        HOME: folder,
        LANG: 'C.UTF-8',
        NPM_CONFIG_UPDATE_NOTIFIER: 'false',
      },
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The page as a script. A service runs until the next one, or the end of the page. */
function scriptOf(page, blocks) {
  const parts = blocks.map(({ kind, name, text, line }) => {
    const place = `place='${page}:${line}'\n`
    if (kind === 'file') return place + saved(name, text)
    return kind === 'run: service'
      ? `${place}stop_service\n{\n${text}} >../service.log 2>&1 &\nawait_service\n`
      : place + text
  })
  return `set -Eeo pipefail
set -m
ip link set lo up
for folder in /srv /mnt /var/lib; do mount -t tmpfs -o mode=755 docs "$folder"; done
trap 'echo "$place: this command failed: $BASH_COMMAND" >&2' ERR
service=
stop_service() {
  if [ -n "$service" ]; then kill -TERM -- "-$service" && wait "$service" || true; fi
  : >../service.log
}
await_service() {
  service=$!
  until grep -q 'listens on' ../service.log; do
    if ! kill -0 "$service"; then cat ../service.log >&2; echo "$place: the service ended." >&2; exit 1; fi
    sleep 0.1
  done
}
${parts.join('')}stop_service
`
}

/** Runs the commands of a page that need a container engine, on a copy of the checkout. @returns whether all succeeded. */
function runWithEngine(page, blocks) {
  const folder = mkdtempSync(path.join(tmpdir(), 'landfall-docs-'))
  const commands = blocks
    .map(({ kind, name, text, line }) => `place='${page}:${line}'\n${kind === 'file' ? saved(name, text) : text}`)
    .join('')
  const script = `set -Eeo pipefail
trap 'echo "$place: this command failed: $BASH_COMMAND" >&2' ERR
docker() { if [ "$1" = compose ]; then shift; ${COMPOSE} "$@"; else ${ENGINE} "$@"; fi; }
remove_all() {
  # Compose wants these variables for every command.
  export SECRET=unused S3_SECRET_ACCESS_KEY=unused LANDFALL_NAME=unused
  for file in docker-compose*.yml; do docker compose -f "$file" down -v --remove-orphans; done
}
trap remove_all EXIT
${commands}`
  try {
    const { stdout } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(path.join(ROOT, name)))) {
      cpSync(path.join(ROOT, file), path.join(folder, file), { recursive: true })
    }
    const env = { ...process.env, COMPOSE_PROJECT_NAME: 'landfall-docs' }
    return succeeds('bash', ['-c', script], { cwd: folder, env }, 30)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A block that readers save as a file. */
function saved(name, text) {
  return `cat >'${name}' <<'END OF ${name}'\n${text}END OF ${name}\n`
}

/** Runs a program, and prints what it has written if it fails, or takes longer than it may. */
function succeeds(command, args, options, minutes = 10) {
  const timeout = minutes * 60_000
  const { status, stdout, stderr, error } = spawnSync(command, args, { ...options, encoding: 'utf8', timeout })
  if (status !== 0)
    console.error(stdout + stderr + (error === undefined ? '' : `${error.message} (${minutes} minutes)`))
  return status === 0
}

function program(folder, name, command) {
  writeFileSync(path.join(folder, 'bin', name), `#!/bin/sh\n${command}\n`, { mode: 0o755 })
}

function which(name) {
  return spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim()
}
