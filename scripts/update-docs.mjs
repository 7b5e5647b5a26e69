// `npm run docs`: writes the generated parts of the documentation, which are the settings, the published results of the
// bench (also in docs/sizing.md), and the code of examples.
import { readFileSync, writeFileSync } from 'node:fs'
import { renderReport } from '../dist/bench/report.js'
import { readResults } from '../dist/bench/results.js'
import { renderSizing } from '../dist/bench/sizing.js'
import { renderOverview } from '../dist/bench/table.js'
import { settingsTable } from '../dist/server/describe-settings.js'

const published = await readResults('bench/results/published.json')
fill('docs/settings.md', 'settings', settingsTable())
fill('docs/bench.md', 'overview', renderOverview(published))
fill('docs/sizing.md', 'sizing', renderSizing(published))
fill('docs/bench.md', 'bench', await renderReport(published))
includeExamples('docs/frameworks.md')

/** After a comment with the path of an example, a code block has its content. */
function includeExamples(file) {
  const block = /(<!-- (examples\/\S+) -->\n```\w+\n)[\s\S]*?(```\n)/g
  const text = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    text.replace(block, (_, begin, example, end) => begin + readFileSync(example, 'utf8') + end),
  )
}

function fill(file, name, content) {
  const between = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*(<!-- /${name} -->)`)
  const text = readFileSync(file, 'utf8')
  if (!between.test(text)) throw new Error(`${file} has no place for ${name}.`)
  writeFileSync(
    file,
    text.replace(between, (_, begin, end) => begin + content + end),
  )
}
