import type { z } from 'zod'
import { sweepResult } from '../admin/contract.ts'
import { CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { columns, duration, size } from './columns.ts'
import { usage } from './exit-codes.ts'

const EXPIRE_HELP = `landfall expire [--dry-run]

Removes unfinished uploads whose time (EXPIRES_AFTER) is over. The service does that by itself about once an hour.

  --dry-run          only shows which ones these are
${CONNECTION_HELP}
`

export const expire = cliCommand({
  help: EXPIRE_HELP,
  options: { 'dry-run': { type: 'boolean' } },
  run: async ({ nodes, isSet, print, isJson, positionals }) => {
    if (positionals.length > 0) throw usage('landfall expire takes options only.')
    const dryRun = isSet('dry-run')
    const all = nodes()
    for (const node of all) {
      const result = await node.call(sweepResult, 'POST', '/sweep', { dryRun }, true)
      if (isJson) print(JSON.stringify(result))
      else for (const line of linesOf(result, dryRun)) print(all.length > 1 ? `${node.url}: ${line}` : line)
    }
    return undefined
  },
})

function linesOf({ examples, expired, bytes }: z.infer<typeof sweepResult>, dryRun: boolean): readonly string[] {
  const rows = examples.map(({ id, received, changedAt, name }) => [
    id,
    size(received),
    duration(Date.now() - Date.parse(changedAt)),
    name,
  ])
  const amount = bytes === null ? '' : ` (${size(bytes)})`
  const summary = dryRun ? `Would expire: ${expired}${amount}.` : `Expired: ${expired}.`
  return [...(rows.length > 0 ? columns(['ID', 'RECEIVED', 'IDLE', 'NAME'], rows) : []), summary]
}
