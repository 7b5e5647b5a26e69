// `npm run docs`: writes the generated parts of the documentation, which are the settings and the published results of
// the bench.
import { readFileSync, writeFileSync } from 'node:fs'
import { renderReport } from '../dist/bench/report.js'
import { readResults } from '../dist/bench/results.js'
import { renderOverview } from '../dist/bench/table.js'
import { settingsTable } from '../dist/server/settings.js'

const published = await readResults('bench/results/published.json')
fill('README.md', 'settings', settingsTable())
fill('README.md', 'bench', renderOverview(published))
fill('docs/bench.md', 'bench', await renderReport(published))

function fill(file, name, content) {
  const between = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*(<!-- /${name} -->)`)
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(between, (_, begin, end) => begin + content + end),
  )
}
