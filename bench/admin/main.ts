/** Times of pages of the admin index, and its memory. */
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type ListQuery, listQuery } from '../../server/admin/contract.ts'
import type { IndexRow } from '../../server/admin/index/rows.ts'
import { IndexThread } from '../../server/admin/index-thread.ts'
import { median } from '../median.ts'
import { stopAll } from '../server-process.ts'
import { MIB } from '../sizes.ts'
import { compareCost } from './cost.ts'

/** The limits: milliseconds of a page, and MiB of the worker. */
const MAX_MS = 50
const MAX_MIB = 150

const HELP = `npm run bench:admin -- [flags]

  --uploads N  uploads in the index (1000000)
  --runs N     requests of each kind (41)
  --pages      as many uploads of WebUploader pages as of tus, instead of a tenth
  --cost       instead: what the API costs a service, by --runs (7) of --files (2000) of 64 KiB, with and without it

Fills the index of the admin API with names of about 24 bytes, requests pages in all orders and with all filters, and prints the median and the
longest time of each, as the main thread sees it, and the memory of the worker. It fails above ${MAX_MS} ms (median) or
${MAX_MIB} MiB.
`

const BATCH = 2_000
const OWNERS = 5_000
const STATES = ['receiving', 'failed', 'rejected', 'sealed'] as const
const WORDS = ['report', 'Holiday', 'scan', 'IMG', 'backup', '会议记录', 'video', 'invoice', 'draft', 'Übersicht']

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      uploads: { type: 'string', default: '1000000' },
      runs: { type: 'string' },
      files: { type: 'string', default: '2000' },
      cost: { type: 'boolean', default: false },
      pages: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  const uploads = Number(values.uploads)
  const runs = Number(values.runs ?? (values.cost ? 7 : 41))
  const files = Number(values.files)
  if (![uploads, runs, files].every((number) => Number.isInteger(number) && number > 0)) {
    throw new Error('--uploads, --runs, and --files must be whole numbers above 0.')
  }
  if (values.cost) {
    if (!(await compareCost(runs, files, print))) process.exitCode = 1
    return
  }
  const before = process.memoryUsage().rss
  const thread = new IndexThread((error) => {
    throw error ?? new Error('The worker has ended.')
  })
  const begun = performance.now()
  for (let first = 0; first < uploads; first += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, uploads - first) }, (_, i) => rowOf(first + i, values.pages))
    await thread.ask({ kind: 'apply', changes: { rows, gone: [] } })
  }
  print(`${uploads} uploads in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  let isWithin = true
  for (const [what, text] of queriesOf(uploads)) {
    const { middle, longest, lines } = await timesOf(thread, listQuery.parse(text), runs)
    isWithin &&= middle <= MAX_MS
    print(`${what.padEnd(46)} ${middle.toFixed(1).padStart(6)} ms  ${longest.toFixed(1).padStart(6)} ms  ${lines}`)
  }
  const { heap, arrays } = await thread.ask({ kind: 'memory' })
  const rss = process.memoryUsage().rss - before
  const mib = (bytes: number): string => (bytes / MIB).toFixed(0)
  print(`worker: ${mib(heap + arrays)} MiB (arrays ${mib(arrays)}, heap ${mib(heap)}); process grew by ${mib(rss)} MiB`)
  if (!isWithin || (heap + arrays) / MIB > MAX_MIB) process.exitCode = 1
  await thread.close()
}

type Query = Readonly<Record<string, string>>

function queriesOf(uploads: number): readonly (readonly [string, Query])[] {
  const owner = ownerOf(17)
  const middle = new Date(timeOf(uploads / 2)).toISOString()
  return [
    ['newest', {}],
    ['newest, 1000 lines', { limit: '1000' }],
    ['by name', { sort: 'name' }],
    ['by name, 1000 lines', { sort: 'name', limit: '1000' }],
    ['by size', { sort: 'size' }],
    ['by state', { sort: 'state' }],
    ['by owner', { sort: 'owner' }],
    ['state=receiving', { state: 'receiving' }],
    ['state=rejected by name', { state: 'rejected', sort: 'name' }],
    ['state=receiving by name, 1000 lines', { state: 'receiving', sort: 'name', limit: '1000' }],
    ['state=failed,rejected by size', { state: 'failed,rejected', sort: 'size' }],
    ['owner', { owner }],
    ['owner by name, 1000 lines', { owner, sort: 'name', limit: '1000' }],
    ['older than, by name', { olderThan: middle, sort: 'name' }],
    ['older than, oldest, 1000 lines', { olderThan: middle, order: 'asc', limit: '1000' }],
    ['name prefix', { namePrefix: 'holiday' }],
    ['name prefix by name', { namePrefix: 'holiday 4', sort: 'name' }],
    ['name prefix by name, 1000 lines', { namePrefix: '会议', sort: 'name', limit: '1000' }],
    ['rare name prefix by age', { namePrefix: 'holiday 77777' }],
    ['name contains (many)', { nameContains: '99' }],
    ['name contains (none)', { nameContains: 'nowhere' }],
    ['id prefix', { idPrefix: idOf(12_345).slice(0, 6) }],
    ['task', { task: 'wu_task_7' }],
  ]
}

/** Also of a page in the middle, by the cursor of the first one. */
async function timesOf(thread: IndexThread, query: ListQuery, runs: number) {
  const times: number[] = []
  let after: string | undefined
  let lines = 0
  for (let run = 0; run < runs; run += 1) {
    const begun = performance.now()
    const { rows, next } = await thread.ask({ kind: 'page', query: { ...query, after } })
    times.push(performance.now() - begun)
    lines = Math.max(lines, rows.length)
    after = next ?? undefined
  }
  return { middle: median(times), longest: Math.max(...times), lines }
}

function rowOf(i: number, isHalfPages: boolean): IndexRow {
  const isOfPage = i % (isHalfPages ? 2 : 10) === 1
  const state = i % 50 === 0 ? (STATES[(i / 50) % STATES.length] ?? 'receiving') : 'finished'
  const size = (i * 7_919_993) % 5_000_000_000
  const digest = createHash('sha256').update(`page ${i}`).digest('hex')
  return {
    id: isOfPage ? `${digest.slice(0, 20)}.${digest.slice(20, 36)}.${digest.slice(0, 32)}` : idOf(i),
    name: `${WORDS[i % WORDS.length]} ${(i * 48_271) % 1_000_003} version ${i % 10}.pdf`,
    size: i % 1000 === 7 ? null : size,
    received: state === 'finished' ? size : Math.floor(size / 3),
    state,
    owner: i % 3 === 0 ? null : ownerOf(i % OWNERS),
    protocol: isOfPage ? 'webuploader' : i % 7 === 0 ? 'draft' : 'tus',
    createdAt: timeOf(i),
    changedAt: timeOf(i) + 60_000,
    taskId: isOfPage ? `wu_task_${i % 100_000}` : null,
    failure: state === 'failed' ? 'digest_mismatch' : state === 'rejected' ? 'rejected' : null,
    isRelated: state === 'sealed',
  }
}

function idOf(i: number): string {
  return createHash('sha256').update(String(i)).digest('hex').slice(0, 32)
}

function ownerOf(i: number): string {
  return createHash('sha256').update(`owner ${i}`).digest('hex').slice(0, 32)
}

/** Uploads of a year; the store is not walked in the order of their age. */
function timeOf(i: number): number {
  return Date.UTC(2026, 0, 1) + ((i * 31_557) % 31_536_000) * 1000
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

main()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
  .finally(stopAll)
