import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MALLOC, PROJECT, UNLIMITED, V8_FLAGS } from '../contestants.ts'
import { freePort, type ServerProcess, startServer, stopAll } from '../server-process.ts'
import { canMeasure } from '../usage.ts'
import { drawSamples } from './chart.ts'
import { drawDashboard, type MetricSample, sampleMetrics } from './dashboard.ts'
import { Load } from './load.ts'
import { Requests } from './requests.ts'
import { grownColumns, type Sample, sample, toCsv } from './samples.ts'

const HELP = `npm run soak -- [flags]

  --minutes N    duration (30)
  --out DIR      where to write soak.csv and soak.svg (a new temporary directory)
  --metrics      the program measures itself, and dashboard.svg shows what Prometheus would see

Runs mixed load on the built program, and measures memory, descriptors, and files every few seconds. It fails when one
of them exceeds, in the last third of the time, its value in the middle third by more than its margin
(bench/soak/samples.ts), or on an unexpected response.
`

const PROBE = fileURLToPath(new URL('heap-probe.js', import.meta.url))
const CLIENTS = 6
/** Maximum number of samples; there is at most one per second. */
const MAX_SAMPLES = 400
/** EXPIRES_AFTER of the program, in seconds; short, so uploads expire many times during the load. */
const EXPIRES_AFTER = 20

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      out: { type: 'string' },
      metrics: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error('--minutes must be a number above 0.')
  if (!canMeasure()) throw new Error('The soak test needs Linux: it reads the usage of the program from /proc.')
  const out = values.out ?? (await mkdtemp(path.join(tmpdir(), 'landfall-soak-')))
  await mkdir(out, { recursive: true })
  const adminPort = values.metrics === true ? await freePort() : undefined
  const server = await startServer(async (port, folder) => ({
    program: process.execPath,
    args: [...V8_FLAGS, '--import', PROBE, path.join(PROJECT, 'dist/program/main.js')],
    environment: {
      ...MALLOC,
      ...UNLIMITED,
      PORT: String(port),
      DATA_DIR: dataDirOf(folder),
      EXPIRES_AFTER: String(EXPIRES_AFTER),
      IDLE_TIMEOUT: '5000',
      LOG_LEVEL: 'warn',
      SOAK_PROBE: probeOf(folder),
      ...(adminPort !== undefined && { ADMIN_PORT: String(adminPort) }),
    },
  }))
  const { samples, load } = await run(server, minutes * 60_000, out, adminPort)
  const complaints = server.complaints()
  await server.stop()
  tell(`${load.done} tasks, ${samples.length} samples in ${path.join(out, 'soak.csv')} and soak.svg.`)
  const faults = [
    ...grownColumns(samples).map((column) => `The column ${column} has grown.`),
    ...new Set(load.failures),
    ...(complaints === '' ? [] : [`The program wrote to its standard error: ${complaints}`]),
  ]
  for (const fault of faults.slice(0, 20)) tell(fault)
  if (faults.length > 0) process.exitCode = 1
}

/** Runs the load for `length` milliseconds and writes each sample immediately. */
async function run(
  server: ServerProcess,
  length: number,
  out: string,
  adminPort: number | undefined,
): Promise<{ readonly samples: readonly Sample[]; readonly load: Load }> {
  const requests = new Requests(server.port)
  const load = new Load(requests)
  const since = performance.now()
  const work = load.run(CLIENTS)
  const samples: Sample[] = []
  const metrics: MetricSample[] = []
  while (performance.now() - since < length) {
    await pause(Math.max(1000, length / MAX_SAMPLES))
    samples.push(await sample(server, dataDirOf(server.folder), probeOf(server.folder), since, load.done))
    await writeFile(path.join(out, 'soak.csv'), toCsv(samples))
    if (adminPort !== undefined) metrics.push(await sampleMetrics(`http://127.0.0.1:${adminPort}`, since))
  }
  load.stop()
  await work
  requests.close()
  await writeFile(path.join(out, 'soak.svg'), drawSamples(samples))
  if (adminPort !== undefined) await writeFile(path.join(out, 'dashboard.svg'), drawDashboard(metrics))
  return { samples, load }
}

function dataDirOf(folder: string): string {
  return path.join(folder, 'data')
}

function probeOf(folder: string): string {
  return path.join(folder, 'heap.json')
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

process.on('exit', stopAll)
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

main().catch((error: unknown) => {
  tell(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
