import { type UploadDetails, uploadDetails } from '../admin/contract.ts'
import { onNodeThatHas } from './admin-connection.ts'
import { CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { duration, list, share, size } from './columns.ts'
import { usage } from './exit-codes.ts'

const SHOW_HELP = `landfall show ID

Shows one upload: its ranges or chunks, rate, requests, errors, and verdicts.

${CONNECTION_HELP}
`

/** So many ranges are listed for people. */
const MAX_SHOWN = 10

export const show = cliCommand({
  help: SHOW_HELP,
  run: async ({ nodes, print, isJson, positionals: [id, ...others] }) => {
    if (id === undefined || others.length > 0) throw usage('landfall show takes the id of one upload.')
    const upload = await onNodeThatHas(nodes(), (node) =>
      node.call(uploadDetails, 'GET', `/uploads/${encodeURIComponent(id)}`),
    )
    if (isJson) print(JSON.stringify(upload))
    else for (const line of linesOf(upload, Date.now())) print(line)
    return undefined
  },
})

function linesOf(upload: UploadDetails, now: number): readonly string[] {
  const { chunks, expiresAt, failure, hooks, path, object } = upload
  const ago = (time: string): string => `${time} (${duration(now - Date.parse(time))} ago)`
  const rows: (readonly [string, string | undefined])[] = [
    ['id', upload.id],
    ['name', upload.name],
    ['state', upload.state],
    ['size', upload.size === null ? 'not known yet' : `${upload.size} (${size(upload.size)})`],
    ['received', `${upload.received} (${share(upload.received, upload.size)})`],
    ['offset', String(upload.offset)],
    ['ranges', runs(upload.ranges)],
    ['chunks', chunks === null ? undefined : `${chunks.receivedCount} of ${chunks.chunks}: ${runs(chunks.received)}`],
    ['chunk size', chunks?.chunkSize == null ? undefined : String(chunks.chunkSize)],
    ['rate', `${size(upload.rate)}/s`],
    ['requests', `${upload.activeRequests} active, ${upload.requests} since the start`],
    ['protocol', upload.protocol],
    ['owner', upload.owner ?? '-'],
    ['task', upload.taskId ?? undefined],
    ['created', ago(upload.createdAt)],
    ['changed', ago(upload.changedAt)],
    ['expires', expiresAt === null ? '-' : `${expiresAt} (in ${duration(Date.parse(expiresAt) - now)})`],
    ['failure', failure === null ? undefined : `${failure.code}: ${failure.message}`],
    ['release', upload.canRelease ? 'possible: landfall release' : undefined],
    ['scan', hooks.scan === 'none' ? undefined : hooks.scan],
    ['application', hooks.application === 'none' ? undefined : hooks.application],
    ['bytes', path ?? (object === null ? undefined : `s3://${object.bucket}/${object.key}`)],
    ['part of', upload.final ?? undefined],
    ['parts', upload.parts === null ? undefined : String(upload.parts.length)],
    ...upload.webhooks.dead.map((one) => ['dead letter', `${one.deadLetter}: ${one.event}, ${one.why}`] as const),
    ...upload.errors.map((one) => ['error', `${one.at} ${one.method} ${one.status} ${one.code}`] as const),
  ]
  return list(rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])))
}

function runs(all: readonly (readonly [number, number])[]): string {
  const shown = all
    .slice(0, MAX_SHOWN)
    .map(([start, end]) => (end - start === 1 ? String(start) : `${start}-${end - 1}`))
  return `${shown.join(', ')}${all.length > MAX_SHOWN ? `, … (${all.length} in all)` : ''}`
}
