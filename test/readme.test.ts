import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { readResults } from '../bench/results.ts'
import { renderSizing } from '../bench/sizing.ts'
import { renderOverview, renderTable } from '../bench/table.ts'
import { describeSettings, settingsTable } from '../server/describe-settings.ts'

const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))

it('docs/settings.md has the settings as they are declared (npm run docs writes them)', async () => {
  const page = await readFile(pathOf('docs/settings.md'), 'utf8')
  expect(page).toContain(`<!-- settings -->\n${settingsTable()}<!-- /settings -->`)
})

it('docs/bench.md has the published results of the bench (npm run docs writes them)', async () => {
  const published = await readResults(pathOf('bench/results/published.json'))
  const page = await readFile(pathOf('docs/bench.md'), 'utf8')
  expect(page).toContain(`<!-- overview -->\n${renderOverview(published)}<!-- /overview -->`)
  expect(page).toContain(renderTable(published))
})

it('docs/sizing.md has the published results of the bench (npm run docs writes them)', async () => {
  const published = await readResults(pathOf('bench/results/published.json'))
  const page = await readFile(pathOf('docs/sizing.md'), 'utf8')
  expect(page).toContain(`<!-- sizing -->\n${renderSizing(published)}<!-- /sizing -->`)
})

it('docs/frameworks.md has the code of the examples (npm run docs writes it)', async () => {
  const page = await readFile(pathOf('docs/frameworks.md'), 'utf8')
  const blocks = [...page.matchAll(/<!-- (examples\/\S+) -->\n```\w+\n([\s\S]*?)```\n/g)]
  expect(blocks).toHaveLength(13)
  for (const [, file = '', code] of blocks) expect(code).toBe(await readFile(pathOf(file), 'utf8'))
})

it('The README links only to files that exist', async () => {
  const readme = await readFile(pathOf('README.md'), 'utf8')
  const files = [...readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, file = '']) => file)
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !existsSync(pathOf(file)))).toEqual([])
})

it('The README names only settings that exist', async () => {
  const readme = await readFile(pathOf('README.md'), 'utf8')
  const named = [...readme.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)
  expect(named).toHaveLength(11)
  expect(describeSettings().map(({ name }) => name)).toEqual(expect.arrayContaining(named))
})
