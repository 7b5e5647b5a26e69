import { type Stats, stats, UPLOAD_STATES } from '../admin/contract.ts'
import { CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { columns, duration, list, size } from './columns.ts'
import { usage } from './exit-codes.ts'

const STATS_HELP = `landfall stats

Shows how many uploads there are, by state, and how the service is.

${CONNECTION_HELP}
`

export const statsCommand = cliCommand({
  help: STATS_HELP,
  run: async ({ nodes, print, isJson, positionals }) => {
    if (positionals.length > 0) throw usage('landfall stats takes options only.')
    for (const [i, node] of nodes().entries()) {
      const now = await node.call(stats, 'GET', '/stats')
      if (isJson) print(JSON.stringify(now))
      else for (const line of [...(i === 0 ? [] : ['']), ...linesOf(now)]) print(line)
    }
    return undefined
  },
})

function linesOf(now: Stats): readonly string[] {
  const { disk, index, rates } = now
  const table = columns(
    ['STATE', 'UPLOADS', 'BYTES'],
    [...UPLOAD_STATES.map((state) => [state, now.uploads[state]] as const), ['all', now.total] as const].map(
      ([state, { count, bytes }]) => [state, String(count), size(bytes)],
    ),
  )
  const facts = list([
    ['node', `${now.node}, Landfall ${now.version}, Node ${now.nodeVersion}, up ${duration(now.uptime * 1000)}`],
    ['state', now.isReady ? 'ready' : 'stopping'],
    ['receiving', `${now.activeUploads} uploads, ${size(rates.received)}/s`],
    ['requests', `${rates.requests.toFixed(1)}/s, errors ${rates.errors.toFixed(2)}/s`],
    ['disk', disk === null ? 'a bucket' : `${size(disk.free)} free of ${size(disk.size)}`],
    ['dead letters', String(now.webhooks.deadLetters)],
    ['index', index.isComplete ? 'complete' : `being built, ${index.indexed} uploads so far`],
    ['memory', size(now.process.rss)],
  ])
  return [...table, '', ...facts]
}
