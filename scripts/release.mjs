// `node scripts/release.mjs [--incomplete]`: makes the files of a release from the commit that is checked out, in
// `release/`: the source, the npm package, its changes, the base images by digest, the components (CycloneDX), how they
// were made (SLSA provenance), and the digests of these. It builds from a clean copy, without install scripts; CI has
// run the tests.
// With --incomplete, it continues when a registry does not answer, and says what the release lacks.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { sectionOf } from './changelog.mjs'
import { withUrls } from './components.mjs'
import { provenanceOf } from './provenance.mjs'

const { values } = parseArgs({ options: { incomplete: { type: 'boolean', default: false } } })
const OUTPUT = 'release'
const started = new Date()
/** The exit code of a script whose registry did not answer. */
const UNANSWERED = 2
const lacking = []

/** Runs a command. @returns its output. Ends this program when it fails. */
function run(command, args, cwd = '.') {
  const { status, stdout } = spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  if (status !== 0) fail(`"${[command, ...args].join(' ')}" failed.`)
  return stdout
}

/** Runs a script that asks a registry. @returns `undefined` when that does not answer and may be missing. */
function ask(script, what) {
  const { status, stdout } = spawnSync('node', [script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  if (status === 0) return stdout
  if (status !== UNANSWERED) fail(`No release: ${script} failed.`)
  if (!values.incomplete) fail(`No release without ${what}.`)
  lacking.push(what)
  return undefined
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}

if (run('git', ['status', '--porcelain']) !== '') fail('The working tree has changes that are not committed.')
const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
const title = `${name}-${version}`
const tag = spawnSync('git', ['describe', '--tags', '--exact-match', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
if (tag !== '' && tag !== `v${version}`) fail(`The tag ${tag} is not that of version ${version}.`)
const changes = sectionOf(readFileSync('CHANGELOG.md', 'utf8'), version)
if (changes === undefined) lacking.push(`a section of ${version} in the changelog`)
if (changes === undefined && !values.incomplete) fail(`CHANGELOG.md has no section of ${version}.`)
rmSync(OUTPUT, { recursive: true, force: true })
mkdirSync(OUTPUT)

const lock = run('node', ['scripts/check-lock.mjs'])
const [, atRuntime] = / (\d+) of them for the service/.exec(lock) ?? []
process.stdout.write(lock)
process.stdout.write(ask('scripts/audit.mjs', 'an audit') ?? '')
const pins = ask('scripts/pin-images.mjs', 'the digests of the base images')
if (pins !== undefined) writeFileSync(path.join(OUTPUT, 'images.env'), pins)

if (changes !== undefined) writeFileSync(path.join(OUTPUT, 'CHANGES.md'), `${changes}\n`)

run('git', ['archive', '--prefix', `${title}/`, '-o', path.join(OUTPUT, `${title}.tar.gz`), 'HEAD'])
const temporary = mkdtempSync(path.join(tmpdir(), 'landfall-release-'))
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }))
// npm names the components after the directory.
const clean = path.join(temporary, name)
mkdirSync(clean)
run('tar', ['-xzf', path.resolve(OUTPUT, `${title}.tar.gz`), '-C', clean, '--strip-components', '1'])
run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], clean)
run('npm', ['run', 'build'], clean)
run('npm', ['pack', '--ignore-scripts', '--pack-destination', path.resolve(OUTPUT)], clean)
// Otherwise npm leaves out the packages that development packages need, too.
run('npm', ['prune', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'], clean)
run('npm', ['pkg', 'delete', 'devDependencies'], clean)
const sbom = run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'], clean)
const components = withUrls(JSON.parse(sbom))
const listed = components.components.length
if (listed !== Number(atRuntime)) fail(`No release: npm sbom lists ${listed} packages, not ${atRuntime}.`)
writeFileSync(path.join(OUTPUT, `${title}.cdx.json`), `${JSON.stringify(components, null, 2)}\n`)

const statement = provenanceOf(OUTPUT, started)
writeFileSync(path.join(OUTPUT, `${title}.intoto.json`), `${JSON.stringify(statement, null, 2)}\n`)

const sums = readdirSync(OUTPUT).map((file) => {
  return `${createHash('sha256')
    .update(readFileSync(path.join(OUTPUT, file)))
    .digest('hex')}  ${file}\n`
})
writeFileSync(path.join(OUTPUT, 'SHA256SUMS'), sums.join(''))
console.log(`${OUTPUT}/ has ${readdirSync(OUTPUT).join(', ')}.`)
if (lacking.length > 0) console.log(`Not to be published: it lacks ${lacking.join(' and ')}.`)
