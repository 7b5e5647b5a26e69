import { versionLine, versionOf } from '../version.ts'
import { cliCommand } from './cli-command.ts'

const VERSION_HELP = `landfall version [--json]

Prints the version, the revision that it was built from, and that of Node.
`

export const version = cliCommand({
  help: VERSION_HELP,
  run: async ({ environment, print, isJson }) => {
    const found = versionOf(environment)
    print(isJson ? JSON.stringify({ ...found, node: process.version }) : versionLine(found))
    return undefined
  },
})
