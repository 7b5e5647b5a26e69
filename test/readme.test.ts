import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { readResults } from '../bench/results.ts'
import { renderOverview, renderTable } from '../bench/table.ts'
import { settingsTable } from '../server/settings.ts'

const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))

it('The README has the settings as they are declared (npm run docs writes them)', async () => {
  const readme = await readFile(pathOf('README.md'), 'utf8')
  expect(readme).toContain(`<!-- settings -->\n${settingsTable()}<!-- /settings -->`)
})

it('The README and docs/bench.md have the published results of the bench (npm run docs writes them)', async () => {
  const published = await readResults(pathOf('bench/results/published.json'))
  const readme = await readFile(pathOf('README.md'), 'utf8')
  expect(readme).toContain(`<!-- bench -->\n${renderOverview(published)}<!-- /bench -->`)
  expect(await readFile(pathOf('docs/bench.md'), 'utf8')).toContain(renderTable(published))
})
