// `node scripts/tag-release.mjs VERSION [--dry-run]`: makes the commit and the tag of a release. It gives the unreleased
// section of the changelog the version and the date, sets the version of the package, commits both, and tags the commit:
// signed if git has a key (user.signingKey), else annotated. It pushes nothing.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { released, sectionOf } from './changelog.mjs'

const { values, positionals } = parseArgs({ options: { 'dry-run': { type: 'boolean' } }, allowPositionals: true })
const [version = '', ...surplus] = positionals
const tag = `v${version}`

const refusals = [
  [
    surplus.length > 0 || !/^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/.test(version),
    'Name one version, such as 1.2.3 or 1.2.3-rc.1.',
  ],
  [git('status', '--porcelain') !== '', 'The working tree has changes that are not committed.'],
  [git('tag', '--list', tag) !== '', `There is a tag ${tag} already.`],
]
for (const [applies, sentence] of refusals) if (applies) fail(sentence)

const { version: current } = JSON.parse(readFileSync('package.json', 'utf8'))
if (!isAfter(version, current)) fail(`${version} is not after ${current}, the version in package.json.`)
const changelog = readFileSync('CHANGELOG.md', 'utf8')
const section = sectionOf(changelog, 'Unreleased')
if (!section) fail('CHANGELOG.md has nothing below Unreleased.')

const key = spawnSync('git', ['config', 'user.signingKey'], { encoding: 'utf8' }).stdout.trim()
if (values['dry-run']) {
  console.log(`${tag} would be ${key === '' ? 'annotated, not signed' : 'signed'}, with these changes:\n\n${section}`)
  process.exit(0)
}
writeFileSync('CHANGELOG.md', released(changelog, version, new Date().toISOString().slice(0, 10)))
run('npm', 'version', version, '--no-git-tag-version', '--ignore-scripts')
git('commit', '--quiet', '--message', `release: ${version}`, 'CHANGELOG.md', 'package.json', 'package-lock.json')
// Lines that begin with # are headings of the section.
git(
  'tag',
  key === '' ? '--annotate' : '--sign',
  '--cleanup=whitespace',
  '--message',
  `Landfall ${version}\n\n${section}`,
  tag,
)
console.log(`${tag} is ${key === '' ? 'NOT signed: git has no user.signingKey' : 'signed'}.`)
console.log(`Publish it with: git push --follow-tags`)

/** Whether a version is newer. Pre-releases of one version have no order here. */
function isAfter(version, other) {
  const [numbers, otherNumbers] = [version, other].map((text) => text.split('-')[0].split('.').map(Number))
  const at = numbers.findIndex((number, index) => number !== otherNumbers[index])
  if (at === -1) return version !== other && other.includes('-')
  return numbers[at] > otherNumbers[at]
}

function git(...args) {
  return run('git', ...args)
}

/** @returns the output. Ends this program when the command fails. */
function run(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  if (status !== 0) fail(`"${command} ${args[0]}" failed.`)
  return stdout
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}
