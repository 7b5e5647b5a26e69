import { declaration, descriptions, flagOf, isSecret } from './settings.ts'

/** The settings as rows of a table: name, flag, default with unit, help. */
export function describeSettings(): readonly { name: string; flag: string; default: string; help: string }[] {
  return Object.entries(declaration.shape).map(([name, schema]) => {
    const { default: fallback = '', help = '' } = descriptions.get(schema) ?? {}
    const flag = flagOf(isSecret(name) ? `${name}_FILE` : name)
    return { name, flag: `--${flag}`, default: fallback, help }
  })
}

/** The settings as a Markdown table, for the documentation. */
export function settingsTable(): string {
  const rows = describeSettings().map((row) => `| ${variablesOf(row.name, '`')} | ${row.default} | ${row.help} |\n`)
  return `| variable | default | what it does |\n| --- | --- | --- |\n${rows.join('')}`
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = describeSettings().map(
    (row) => `  ${row.flag}  (${variablesOf(row.name)})  ${row.default}\n      ${row.help}`,
  )
  return `landfall: a resumable upload service\n\nFlags, their environment variables, and defaults:\n\n${rows.join('\n')}\n`
}

function variablesOf(name: string, quote = ''): string {
  const names = isSecret(name) ? [name, `${name}_FILE`] : [name]
  return names.map((name) => `${quote}${name}${quote}`).join(', ')
}
