// Writes the table of settings into the README, from their declaration. Run `npm run docs` after changing one.
import { readFileSync, writeFileSync } from 'node:fs'
import { settingsTable } from '../dist/server/settings-table.js'

const readme = new URL('../README.md', import.meta.url)
const text = readFileSync(readme, 'utf8')
writeFileSync(readme, text.replace(/(<!-- settings -->\n)[\s\S]*(<!-- \/settings -->)/, `$1${settingsTable()}$2`))
