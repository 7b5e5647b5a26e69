// `npm run test:conformance`: the conformance tests of tus against this program and the peers on this host; `--publish`
// writes the result to docs/conformance.md. `TUS_URL=http://HOST/files npm run test:conformance` tests another server,
// as does `DRAFT_URL=…` with the tests of the IETF draft.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findContestants, PROJECT } from '../dist/bench/contestants.js'
import { startServer } from '../dist/bench/server-process.js'

/** The tests of a server, by the variable that names its upload creation URL. */
const SUITES = { TUS_URL: 'test/tus/conformance', DRAFT_URL: 'test/draft/conformance' }

/** The extensions that the documentation of an absent peer lists. */
const DOCUMENTED = {
  '@tus/server': ['creation', 'creation-with-upload', 'creation-defer-length', 'expiration', 'termination'],
  tusd: [
    ...['creation', 'creation-with-upload', 'creation-defer-length', 'termination'],
    ...['concatenation', 'concatenation-unfinished'],
  ],
  rustus: ['creation', 'creation-with-upload', 'creation-defer-length', 'termination', 'concatenation', 'checksum'],
}

/** Starts @tus/server on the store of this program. */
async function onOurStore(port, folder) {
  return {
    program: process.execPath,
    args: [path.join(PROJECT, 'examples/tus-server/server.mjs')],
    environment: { PORT: String(port), DATA_DIR: folder },
  }
}

/** The servers of the table, each with its title. */
function serversOf(contestants) {
  return contestants.flatMap(({ name, version, command }) => {
    if (name.includes('SYNC=')) return []
    const server = { title: name === 'Landfall' ? name : `${name} ${version}`, command }
    if (name !== '@tus/server') return [server]
    return [server, { title: `${server.title} on Landfall's store`, command: onOurStore }]
  })
}

/**
 * Runs Jest with its default reporter: ours fails skipped cases, which are those of extensions that a server does not
 * offer.
 */
function jest(args, environment, stdio) {
  const { status } = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', ...args, '--reporters=default'], {
    cwd: PROJECT,
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
      ...environment,
    },
    stdio,
  })
  return status ?? 1
}

/** Tests the servers that `TUS_URL` and `DRAFT_URL` name. @returns the exit status. */
async function testNamed(urls) {
  for (const [name, url] of urls) {
    const response = await fetch(url, { method: 'OPTIONS' }).catch(() => undefined)
    if (response !== undefined) continue
    console.error(`No server responds at ${name}=${url}.`)
    return 1
  }
  return jest(['-w', '1', '--verbose', ...urls.map(([name]) => SUITES[name])], {}, 'inherit')
}

function run(port, folder) {
  const output = path.join(folder, `${port}.json`)
  jest([SUITES.TUS_URL, '--json', '--outputFile', output], { TUS_URL: `http://127.0.0.1:${port}/files` }, 'ignore')
  const cases = JSON.parse(readFileSync(output, 'utf8')).testResults.flatMap(({ assertionResults }) => assertionResults)
  return cases.map(({ ancestorTitles, title, status }) => ({ extension: ancestorTitles[0], title, status }))
}

function failedIn({ cases }) {
  return cases.filter(({ status }) => status === 'failed').length
}

function summaryOf(name, cases) {
  const count = (status) => cases.filter((found) => found.status === status).length
  return `${name}: ${count('passed')} passed, ${count('failed')} failed, ${count('pending')} not offered`
}

function cell(cases, extension) {
  const own = cases.filter((found) => found.extension === extension)
  if (own.every(({ status }) => status === 'pending')) return 'not offered'
  return `${own.filter(({ status }) => status === 'passed').length}/${own.length}`
}

function documented(name, extension) {
  if (extension === 'core protocol' || DOCUMENTED[name].includes(extension)) return 'documented'
  return 'documented: not offered'
}

function tableOf(results, absent) {
  const extensions = [...new Set(results[0].cases.map((found) => found.extension))].sort(
    (a, b) => Number(b === 'core protocol') - Number(a === 'core protocol') || a.localeCompare(b),
  )
  const rows = extensions.map((extension) => [
    extension,
    ...results.map(({ cases }) => cell(cases, extension)),
    ...absent.map((name) => documented(name, extension)),
  ])
  const header = ['', ...results.map(({ name }) => name), ...absent]
  return [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function report(results, table) {
  const failures = results
    .map(({ name, cases }) => ({ name, failed: cases.filter(({ status }) => status === 'failed') }))
    .filter(({ failed }) => failed.length > 0)
    .map(({ name, failed }) => `## ${name}\n\n${failed.map((f) => `- ${f.extension}: ${f.title}`).join('\n')}\n`)
  return `# Conformance with tus 1.0.0

Every server runs the same cases, each named by a sentence of the specification. The table counts those that pass. A
server that did not run has what its documentation says.

\`npm run test:conformance\` runs the servers that it finds on \`PATH\`, or by \`TUSD\` and \`RUSTUS\`; with
\`-- --publish\`, it writes this page. \`TUS_URL=http://HOST/files npm run test:conformance\` tests any other server,
\`DRAFT_URL=…\` with the cases of the IETF draft.

${table}

${results.map(({ name, cases }) => `- ${summaryOf(name, cases)}`).join('\n')}

Failed cases:

${failures.length > 0 ? failures.join('\n') : 'nothing\n'}`
}

const named = Object.keys(SUITES).flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))
if (named.length > 0) process.exit(await testNamed(named))

const { contestants, absent } = await findContestants(['Landfall', '@tus/server', 'tusd', 'rustus'])
const folder = mkdtempSync(path.join(tmpdir(), 'landfall-conformance-'))
const results = []
try {
  for (const { title: name, command } of serversOf(contestants)) {
    const server = await startServer(command)
    try {
      const cases = run(server.port, folder)
      results.push({ name, cases })
      console.log(summaryOf(name, cases))
      for (const found of cases) if (found.status === 'failed') console.log(`  ${found.extension}: ${found.title}`)
    } finally {
      await server.stop()
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const name of absent) console.log(`${name}: not on this host`)
if (process.argv.includes('--publish')) {
  writeFileSync(path.join(PROJECT, 'docs/conformance.md'), report(results, tableOf(results, absent)))
}
if (failedIn(results[0]) > 0) process.exitCode = 1
const [onFileStore, onLandfall] = results.filter(({ name }) => name.startsWith('@tus/server'))
if (onLandfall !== undefined && failedIn(onLandfall) > failedIn(onFileStore)) {
  console.error(`${onLandfall.name} fails more cases than on its own.`)
  process.exitCode = 1
}
