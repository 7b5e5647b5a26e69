import { describeSettings } from './settings.ts'

/** The settings as a Markdown table, for the README. */
export function settingsTable(): string {
  const rows = describeSettings().map((row) => `| \`${row.name}\` | ${row.default} | ${row.help} |\n`)
  return `| variable | default | what it does |\n| --- | --- | --- |\n${rows.join('')}`
}
