import { fileURLToPath } from 'node:url'
import { uploadByTus, uploadByWebUploader } from './client.ts'
import { startServer } from './server-process.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const ROUNDS = Number(process.env['ROUNDS'] ?? 5)

interface Contestant {
  readonly name: string
  readonly args: readonly string[]
}

const script = (name: string): string => fileURLToPath(new URL(`../../bench/peers/${name}`, import.meta.url))
const landfall: Contestant = {
  name: 'landfall',
  args: ['--max-semi-space-size=1', fileURLToPath(new URL('../server/main.js', import.meta.url))],
}
const tusServer: Contestant = { name: '@tus/server', args: [script('tus-server.mjs'), 'DIR'] }
const bareNode: Contestant = { name: 'bare Node', args: [script('bare-node.mjs'), 'DIR'] }

interface Workload {
  readonly name: string
  readonly bytes: number
  readonly contestants: readonly Contestant[]
  readonly run: (url: string) => Promise<unknown>
}

const workloads: readonly Workload[] = [
  {
    name: '1 GiB in one PATCH',
    bytes: GIB,
    contestants: [landfall, tusServer, bareNode],
    run: (url) => uploadByTus(url, GIB, GIB),
  },
  {
    name: '512 MiB in 5 MiB PATCHes',
    bytes: GIB / 2,
    contestants: [landfall, tusServer, bareNode],
    run: (url) => uploadByTus(url, GIB / 2, 5 * MIB),
  },
  {
    name: '1 GiB by WebUploader, 20 MiB, 1 thread',
    bytes: GIB,
    contestants: [landfall],
    run: (url) => uploadByWebUploader(url, GIB, 20 * MIB, 1),
  },
  {
    name: '1 GiB by WebUploader, 5 MiB, 3 threads',
    bytes: GIB,
    contestants: [landfall],
    run: (url) => uploadByWebUploader(url, GIB, 5 * MIB, 3),
  },
]

interface Row {
  readonly workload: string
  readonly server: string
  readonly seconds: number
  readonly cpu: number
  readonly peak: number
  readonly writtenPerByte: number
}

async function measure({ name, bytes, run }: Workload, contestant: Contestant): Promise<Row> {
  const server = await startServer(contestant.args, { SYNC: 'never', LOG_LEVEL: 'warn' })
  try {
    const idle = await server.usage()
    const before = performance.now()
    await run(server.url)
    const seconds = (performance.now() - before) / 1000
    const used = await server.usage()
    const cpu = used.cpu - idle.cpu
    return {
      workload: name,
      server: contestant.name,
      seconds,
      cpu,
      peak: used.peak,
      writtenPerByte: used.written / bytes,
    }
  } finally {
    await server.stop()
  }
}

function median(rows: readonly Row[], of: (row: Row) => number): number {
  const sorted = rows.map(of).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

process.stdout.write(`Medians of ${ROUNDS} rounds, the servers in turns; SYNC=never for all.\n\n`)
process.stdout.write('| workload | server | s | MB/s | CPU s | CPU, landfall = 1 | peak MiB | written per byte |\n')
process.stdout.write('| --- | --- | --- | --- | --- | --- | --- | --- |\n')
for (const workload of workloads) {
  const rows: Row[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (const contestant of workload.contestants) rows.push(await measure(workload, contestant))
  }
  const ours = median(
    rows.filter((row) => row.server === landfall.name),
    (row) => row.cpu,
  )
  for (const { name } of workload.contestants) {
    const own = rows.filter((row) => row.server === name)
    const seconds = median(own, (row) => row.seconds)
    const cpu = median(own, (row) => row.cpu)
    const cells = [
      workload.name,
      name,
      seconds.toFixed(2),
      (workload.bytes / 1e6 / seconds).toFixed(0),
      cpu.toFixed(2),
      (cpu / ours).toFixed(2),
      median(own, (row) => row.peak).toFixed(0),
      median(own, (row) => row.writtenPerByte).toFixed(4),
    ]
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
  }
}
