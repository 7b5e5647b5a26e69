import { z } from 'zod'
import { type DeadLetterLine, deadLetterPage } from '../admin/contract.ts'
import { type AdminConnection, onNodeThatHas } from './admin-connection.ts'
import { CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { columns } from './columns.ts'
import { usage } from './exit-codes.ts'

const HOOKS_HELP = `landfall hooks ls
landfall hooks retry ID ...
landfall hooks rm ID ...

Dead letters of a running service: events that an endpoint of WEBHOOK_URLS did not accept for three days. ls lists
them, retry queues them again, rm deletes them. all stands for all of them. Without a running service, use landfall
webhooks.

${CONNECTION_HELP}
`

export const hooks = cliCommand({
  help: HOOKS_HELP,
  run: async ({ nodes, print, isJson, positionals: [command, ...ids] }) => {
    if (command === 'ls' && ids.length === 0) {
      const letters = (await Promise.all(nodes().map(allLetters))).flat()
      if (isJson) for (const letter of letters) print(JSON.stringify(letter))
      else for (const line of tableOf(letters)) print(line)
      return undefined
    }
    if ((command !== 'retry' && command !== 'rm') || ids.length === 0) {
      throw usage('landfall hooks takes ls, or retry or rm with the ids of dead letters.')
    }
    const all = nodes()
    const isAll = ids.length === 1 && ids[0] === 'all'
    const chosen = isAll ? (await Promise.all(all.map(allLetters))).flat().map(({ id }) => id) : ids
    for (const id of chosen) {
      const place = `/dead-letters/${encodeURIComponent(id)}`
      await onNodeThatHas(all, (node) =>
        command === 'retry'
          ? node.call(z.undefined(), 'POST', `${place}/retry`)
          : node.call(z.undefined(), 'DELETE', place),
      )
      print(isJson ? JSON.stringify({ id, [command === 'retry' ? 'queued' : 'deleted']: true }) : id)
    }
    return undefined
  },
})

async function allLetters(admin: AdminConnection): Promise<readonly DeadLetterLine[]> {
  const letters: DeadLetterLine[] = []
  for (let after = ''; ; ) {
    const page = await admin.call(deadLetterPage, 'GET', `/dead-letters?limit=1000${after && `&after=${after}`}`)
    letters.push(...page.deadLetters)
    if (page.next === null) return letters
    after = encodeURIComponent(page.next)
  }
}

function tableOf(letters: readonly DeadLetterLine[]): readonly string[] {
  return columns(
    ['ID', 'EVENT', 'UPLOAD', 'AT', 'ENDPOINT', 'WHY'],
    letters.map(({ id, type, upload, at, host, endpoint, why }) => [id, type, upload, at, host ?? endpoint, why]),
  )
}
