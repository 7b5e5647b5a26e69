// `node scripts/changelog.mjs VERSION`: prints what CHANGELOG.md says about a version, without its heading.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/** The text below the heading of a version, or of `Unreleased`; `undefined` if there is none. */
export function sectionOf(changelog, version) {
  const sections = changelog.split(/^(?=## )/m)
  const section = sections.find((text) => headingOf(text).split(' ')[0] === version)
  return section?.slice(section.indexOf('\n')).trim()
}

/** The changelog after a release: what was unreleased belongs to `version`. @param date as in ISO 8601. */
export function released(changelog, version, date) {
  return changelog.replace(/^## Unreleased\n/m, `## Unreleased\n\n## ${version} (${date})\n`)
}

function headingOf(section) {
  return /^## (.*)/.exec(section)?.[1] ?? ''
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [version = ''] = process.argv.slice(2)
  const section = sectionOf(readFileSync('CHANGELOG.md', 'utf8'), version)
  if (!section) {
    console.error(`CHANGELOG.md says nothing about "${version}".`)
    process.exit(1)
  }
  console.log(section)
}
