import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { newRecord } from '../../server/core/record.ts'
import { formatLiveState } from '../../server/s3/documents.ts'
import { liveFolder } from '../../server/s3/keys.ts'
import { recordName } from '../../server/s3/names.ts'
import { createSlowUploads } from '../client/slow-uploads.ts'
import { uploadAtOnce } from '../client/tus.ts'
import { MALLOC, PROJECT, UNLIMITED, V8_FLAGS } from '../contestants.ts'
import { measure } from '../measure.ts'
import { median } from '../median.ts'
import { findProgram } from '../programs.ts'
import type { Figures } from '../results.ts'
import { type ServerProcess, startServer, stopAll } from '../server-process.ts'
import { GIB, MIB } from '../sizes.ts'
import { markdown } from '../table.ts'
import { type Engine, startEngine } from './engine.ts'

const HELP = `npm run bench:s3 -- [flags]

  --runs N     runs of each upload, in turns with tusd if it is installed or TUSD names it (3)
  --slow N     uploads that send 1 KiB per second, at once, for a minute (1000)
  --live N     unfinished uploads in the bucket before a start (100000)

Measures Landfall with STORE=s3 on a versitygw of this host, and tusd on the same one.
`

const PREFIX = '.landfall/'
const SECRET = 'a secret of thirty-two characters'
/** How long slow uploads last. Milliseconds. */
const SLOW_FOR = 60_000
/** How many files are written at once. */
const LANES = 64

const WORKS: readonly { readonly name: string; readonly bytes: number; run(port: number): Promise<void> }[] = [
  { name: '1 GiB in one PATCH', bytes: GIB, run: (port) => uploadAtOnce(port, 1, GIB) },
  { name: '8 × 64 MiB at once', bytes: 512 * MIB, run: (port) => uploadAtOnce(port, 8, 64 * MIB) },
]

async function main(): Promise<void> {
  const options = {
    runs: { type: 'string', default: '3' },
    slow: { type: 'string', default: '1000' },
    live: { type: 'string', default: '100000' },
    help: { type: 'boolean' },
  } as const
  const { values } = parseArgs({ options })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  const [runs = 0, slow = 0, live = 0] = [values.runs, values.slow, values.live].map(Number)
  if (![runs, slow, live].every((number) => Number.isInteger(number) && number >= 0)) {
    throw new Error('--runs, --slow, and --live must be whole numbers.')
  }
  const rows = runs > 0 ? await compare(runs) : []
  if (slow > 0) rows.push([`${slow} slow uploads`, 'Landfall', ...(await slowUploads(slow))])
  if (live > 0) rows.push([`start with ${live} unfinished uploads`, 'Landfall', await startOn(live), '', '', ''])
  process.stdout.write(`${markdown(['work', 'server', 'seconds', 'against tusd', 'CPU s', 'peak MiB'], rows)}\n`)
}

/** Each upload by each server, in turns. */
async function compare(runs: number): Promise<string[][]> {
  const tusd = await findProgram('TUSD', 'tusd')
  const servers = { Landfall: startLandfall, ...(tusd === undefined ? {} : { tusd: startTusd(tusd) }) }
  const rows: string[][] = []
  for (const work of WORKS) {
    const figures = new Map<string, Figures[]>()
    for (let run = 0; run < runs; run += 1) {
      for (const [name, start] of Object.entries(servers)) {
        const one = await onNewBucket(start, (server) => measure(server, work.bytes, () => work.run(server.port)))
        figures.set(name, [...(figures.get(name) ?? []), one])
      }
    }
    const secondsOf = (name: string): number => median((figures.get(name) ?? []).map(({ seconds }) => seconds))
    for (const [name, all] of figures) {
      const ratio = tusd === undefined ? '' : (secondsOf(name) / secondsOf('tusd')).toFixed(2)
      const cpu = median(all.map((one) => one.cpu)).toFixed(1)
      const peak = Math.max(...all.map((one) => one.peak)).toFixed(0)
      rows.push([work.name, name, secondsOf(name).toFixed(2), ratio, cpu, peak])
    }
  }
  return rows
}

/** @returns the seconds until all have begun, nothing, and what the whole has cost. */
async function slowUploads(count: number): Promise<string[]> {
  return onNewBucket(startLandfall, async (server) => {
    const uploads = await createSlowUploads(server.port, count)
    let begun = 0
    const { cpu, peak } = await measure(server, 0, async () => {
      const before = performance.now()
      await uploads.begin()
      begun = (performance.now() - before) / 1000
      await wait(SLOW_FOR)
      uploads.checkOpen()
    })
    uploads.end()
    return [begun.toFixed(2), '', cpu.toFixed(1), peak.toFixed(0)]
  })
}

/** @returns the seconds of a start. */
async function startOn(count: number): Promise<string> {
  const engine = await startEngine()
  // The first start tests the bucket.
  await (await startLandfall(engine)).stop()
  await fill(engine.folder, count)
  const server = await startLandfall(engine)
  await server.stop()
  await engine.stop()
  return server.startSeconds.toFixed(2)
}

/** Fills the bucket with unfinished uploads. */
async function fill(bucket: string, count: number): Promise<void> {
  const owner = { node: 'bench', token: '0'.repeat(16) }
  let begun = 0
  const lane = async (): Promise<void> => {
    while (begun < count) {
      begun += 1
      const record = newRecord({ length: MIB, metadata: {} })
      const folder = path.join(bucket, liveFolder(PREFIX, record.id))
      await mkdir(folder, { recursive: true })
      await writeFile(path.join(folder, recordName(1, 0)), formatLiveState({ record }, owner))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

async function onNewBucket<T>(
  start: (engine: Engine) => Promise<ServerProcess>,
  work: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const engine = await startEngine()
  const server = await start(engine)
  try {
    return await work(server)
  } finally {
    await server.stop()
    await engine.stop()
  }
}

function startLandfall({ endpoint, bucket, accessKeyId, secretAccessKey }: Engine): Promise<ServerProcess> {
  const s3 = {
    STORE: 's3',
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_PREFIX: PREFIX,
    S3_ACCESS_KEY_ID: accessKeyId,
    S3_SECRET_ACCESS_KEY: secretAccessKey,
  }
  return startServer(async (port, folder) => ({
    program: process.execPath,
    args: [...V8_FLAGS, path.join(PROJECT, 'dist/program/main.js')],
    environment: { ...MALLOC, ...UNLIMITED, ...s3, SECRET, PORT: String(port), DATA_DIR: folder, LOG_LEVEL: 'warn' },
  }))
}

function startTusd(program: string): (engine: Engine) => Promise<ServerProcess> {
  return ({ endpoint, bucket, accessKeyId, secretAccessKey }) =>
    startServer(async (port) => ({
      program,
      args: [
        ...['-host', '127.0.0.1', '-port', String(port), '-base-path', '/files/'],
        ...['-s3-bucket', bucket, '-s3-endpoint', endpoint],
        ...['-verbose=false', '-show-startup-logs=false', '-show-greeting=false'],
      ],
      environment: {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_REGION: 'us-east-1',
      },
    }))
}

try {
  await main()
} finally {
  stopAll()
}
