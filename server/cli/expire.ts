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
  run: async ({ connect, isSet, print, isJson, positionals }) => {
    if (positionals.length > 0) throw usage('landfall expire takes options only.')
    const dryRun = isSet('dry-run')
    const result = await connect().call(sweepResult, 'POST', '/sweep', { dryRun }, true)
    if (isJson) {
      print(JSON.stringify(result))
      return undefined
    }
    if (result.examples.length > 0) {
      const rows = result.examples.map(({ id, received, changedAt, name }) => [
        id,
        size(received),
        duration(Date.now() - Date.parse(changedAt)),
        name,
      ])
      for (const line of columns(['ID', 'RECEIVED', 'IDLE', 'NAME'], rows)) print(line)
    }
    const amount = result.bytes === null ? '' : ` (${size(result.bytes)})`
    print(dryRun ? `Would expire: ${result.expired}${amount}.` : `Expired: ${result.expired}.`)
    return undefined
  },
})
