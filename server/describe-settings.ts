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

/** The subcommands; each has a `--help` of its own. */
const COMMANDS = `landfall [serve] [flags]     runs the service
landfall check [flags]       checks the settings
landfall ls, show, watch, stats, rm, cancel, interrupt, extend, finish, release, expire, hooks
                             see and steer a running service by its admin API
landfall token, webhooks     create upload tokens; list events that were not delivered
landfall import, move        import the uploads of other servers; move them between disk and bucket
landfall doctor              checks and repairs the data of a stopped service
landfall version             prints the version
`

/** The text of `--help`. */
export function helpText(): string {
  const rows = describeSettings().map(
    (row) => `  ${row.flag}  (${variablesOf(row.name)})  ${row.default}\n      ${row.help}`,
  )
  return `landfall: a resumable upload service\n\n${COMMANDS}\nFlags of serve, their environment variables, and defaults:\n\n${rows.join('\n')}\n`
}

function variablesOf(name: string, quote = ''): string {
  const names = isSecret(name) ? [name, `${name}_FILE`] : [name]
  return names.map((name) => `${quote}${name}${quote}`).join(', ')
}
