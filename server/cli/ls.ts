import { MAX_PAGE, SORT_KEYS, UPLOAD_STATES, type UploadLine, uploadPage } from '../admin/contract.ts'
import type { AdminConnection } from './admin-connection.ts'
import { CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { columns, duration, share, size } from './columns.ts'
import { usage } from './exit-codes.ts'
import { timeIn } from './times.ts'

const LS_HELP = `landfall ls [options]

Lists uploads of a running service.

  --state LIST       ${UPLOAD_STATES.join(', ')}
  --owner DIGEST     of this owner; none for those without one
  --older-than TIME  created before a time, or longer ago than 7d, 2h, 15m
  --newer-than TIME  created since then
  --name PREFIX      whose name begins so
  --contains TEXT    whose name contains it
  --id PREFIX        whose id begins so
  --task ID          of this task_id of a WebUploader page
  --sort KEY         ${SORT_KEYS.join(', ')} (age)
  --order ORDER      asc, desc
  --limit N          at most so many lines (50)
${CONNECTION_HELP}

With --json, each line is an upload.
`

/** The options that are fields of the API. */
const FIELDS = [
  ['state', 'state'],
  ['owner', 'owner'],
  ['name', 'namePrefix'],
  ['contains', 'nameContains'],
  ['id', 'idPrefix'],
  ['task', 'task'],
  ['sort', 'sort'],
  ['order', 'order'],
] as const

const text = { type: 'string' } as const

export const ls = cliCommand({
  help: LS_HELP,
  options: {
    ...Object.fromEntries(FIELDS.map(([option]) => [option, text])),
    'older-than': text,
    'newer-than': text,
    limit: text,
  },
  run: async ({ nodes, text, print, isJson, positionals }) => {
    if (positionals.length > 0) throw usage('landfall ls takes options only.')
    const limit = Number(text('limit') ?? '50')
    if (!Number.isInteger(limit) || limit < 1) throw usage('--limit must be a whole number above 0.')
    const now = Date.now()
    const query = new URLSearchParams()
    for (const [option, field] of FIELDS) query.set(field, text(option) ?? '')
    query.set('olderThan', timeIn(text('older-than'), now) ?? '')
    query.set('newerThan', timeIn(text('newer-than'), now) ?? '')
    for (const [field, value] of [...query]) if (value === '') query.delete(field)
    const listings = await Promise.all(nodes().map((node) => listingOf(node, query, limit)))
    const uploads = merged(listings, query)
    const shown = uploads.slice(0, limit)
    if (isJson) for (const upload of shown) print(JSON.stringify(upload))
    else for (const line of tableOf(shown, now)) print(line)
    if (isJson || (shown.length === uploads.length && listings.every(({ isWhole }) => isWhole))) return undefined
    const totals = listings.map(({ total }) => total)
    const total = totals.reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0)
    print(`… ${total === null ? 'and more' : `${total} in all`}`)
    return undefined
  },
})

interface Listing {
  readonly uploads: readonly UploadLine[]
  /** How many uploads match, if that is known. */
  readonly total: number | null
  readonly isWhole: boolean
}

/** The first `limit` uploads of a node. */
async function listingOf(node: AdminConnection, asked: URLSearchParams, limit: number): Promise<Listing> {
  const query = new URLSearchParams(asked)
  const uploads: UploadLine[] = []
  let total: number | null = null
  let next: string | null = null
  do {
    query.set('limit', String(Math.min(MAX_PAGE, limit - uploads.length)))
    if (next !== null) query.set('after', next)
    const page = await node.call(uploadPage, 'GET', `/uploads?${query}`)
    uploads.push(...page.uploads)
    total ??= page.total
    next = page.next
  } while (next !== null && uploads.length < limit)
  return { uploads, total, isWhole: next === null }
}

/** What the nodes list, as one list in the order that was asked for. */
function merged(listings: readonly Listing[], query: URLSearchParams): readonly UploadLine[] {
  const [first] = listings
  if (first !== undefined && listings.length === 1) return first.uploads
  const key = KEYS[SORT_KEYS.find((name) => name === query.get('sort')) ?? 'age']
  const isDescending = (query.get('order') ?? (key === KEYS.age || key === KEYS.size ? 'desc' : 'asc')) === 'desc'
  const compare = (a: UploadLine, b: UploadLine): number => {
    const [x, y] = [key(a), key(b)]
    return x < y ? -1 : Number(x > y)
  }
  return listings.flatMap(({ uploads }) => uploads).sort((a, b) => (isDescending ? compare(b, a) : compare(a, b)))
}

/** What uploads of several nodes are sorted by, like the index of each. */
const KEYS: Readonly<Record<(typeof SORT_KEYS)[number], (upload: UploadLine) => string | number>> = {
  age: ({ createdAt }) => Date.parse(createdAt),
  name: ({ name }) => name.toLowerCase(),
  size: ({ size: length }) => length ?? -1,
  state: ({ state }) => UPLOAD_STATES.indexOf(state),
  owner: ({ owner }) => owner ?? '',
}

function tableOf(uploads: readonly UploadLine[], now: number): readonly string[] {
  return columns(
    ['ID', 'STATE', 'SIZE', 'DONE', 'AGE', 'EXPIRES', 'OWNER', 'NAME'],
    uploads.map(({ id, state, size: length, received, createdAt, expiresAt, owner, name }) => [
      id,
      state,
      size(length),
      share(received, length),
      duration(now - Date.parse(createdAt)),
      expiresAt === null ? '-' : duration(Date.parse(expiresAt) - now),
      owner?.slice(0, 8) ?? '-',
      name,
    ]),
  )
}
