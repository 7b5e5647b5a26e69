import { readFile } from 'node:fs/promises'
import { expect, it } from '@jest/globals'
import { settingsTable } from '../server/settings-table.ts'

it('The README has the settings as they are declared (npm run docs writes them)', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(`<!-- settings -->\n${settingsTable()}<!-- /settings -->`)
})
