import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Connection } from './client/connection.ts'
import { checkOffset, create, createWithUpload, patch } from './client/tus.ts'
import { uploadByDropzone, uploadByResumable, uploadByWebUploader } from './client/webuploader.ts'
import { MALLOC, PROJECT, UNLIMITED, V8_FLAGS } from './contestants.ts'
import { findInstructionCounter, type InstructionCounter } from './instruction-counter.ts'
import { median } from './median.ts'
import { startServer, stopAll } from './server-process.ts'
import { KIB, MIB } from './sizes.ts'

const HELP = `npm run bench:instructions -- --base DIR [flags]

Compares the instructions per request of this checkout and of another one, which must be built. Unlike time, they
hardly depend on other load on the host.

  --base DIR       the other checkout
  --rounds N       runs of each checkout, alternating (5; with valgrind 1)
  --only TEXT      only requests with this in their name
  --chunk KIB      the size of chunks (16)
  --limit RATIO    fail when a median exceeds this multiple of the other one (1.03)
  --set NAME=VALUE a setting of this checkout only; with --base . it shows what the setting costs

It needs perf (Debian: linux-perf) and a hardware counter, or valgrind, which takes some minutes.
`

/** A kind of request, sent repeatedly. */
interface Kind {
  readonly name: string
  /** How many to send as a warm-up, and how many to count without a slowdown. */
  readonly warmUp: number
  readonly counted: number
  /** @param chunkSize bytes. */
  send(port: number, count: number, chunkSize: number): Promise<unknown>
}

/** The chunks of a warm-up, whatever is counted then. Bytes. */
const USUAL_CHUNK = 16 * KIB
const DIALECTS = 'resumable,dropzone'
/** After this many requests, V8 has compiled the hot code: the maximum warm-up under a slow counter. */
const WARM = 3_000

const kinds: readonly Kind[] = [
  { name: 'PATCH', warmUp: 3_000, counted: 3_000, send: sendPatches },
  { name: 'HEAD', warmUp: 5_000, counted: 10_000, send: sendHeads },
  { name: 'small file of 4 KiB with its creation', warmUp: 1_000, counted: 1_000, send: sendSmallFiles },
  { name: 'WebUploader chunk', warmUp: 3_000, counted: 3_000, send: sendChunks },
  { name: 'Resumable.js chunk', warmUp: 3_000, counted: 3_000, send: sendResumable },
  { name: 'Dropzone chunk', warmUp: 3_000, counted: 3_000, send: sendDropzone },
]

async function sendPatches(port: number, count: number, chunkSize: number): Promise<void> {
  const connection = new Connection(port)
  const path = await create(connection, count * chunkSize + 1)
  for (let at = 0; at < count; at++) await patch(connection, path, at * chunkSize, chunkSize)
  connection.close()
}

async function sendHeads(port: number, count: number, chunkSize: number): Promise<void> {
  const connection = new Connection(port)
  const path = await create(connection, MIB)
  await patch(connection, path, 0, chunkSize)
  for (let at = 0; at < count; at++) await checkOffset(connection, path, chunkSize)
  connection.close()
}

async function sendSmallFiles(port: number, count: number): Promise<void> {
  const connection = new Connection(port)
  for (let at = 0; at < count; at++) await createWithUpload(connection, 4 * KIB)
  connection.close()
}

let tasks = 0

function sendChunks(port: number, count: number, chunkSize: number): Promise<number> {
  tasks += 1
  return uploadByWebUploader(port, count * chunkSize, chunkSize, 1, `wu_instructions_${tasks}`)
}

function sendResumable(port: number, count: number, chunkSize: number): Promise<void> {
  tasks += 1
  return uploadByResumable(port, count * chunkSize, chunkSize, `instructions-${tasks}`)
}

function sendDropzone(port: number, count: number, chunkSize: number): Promise<void> {
  tasks += 1
  return uploadByDropzone(port, count * chunkSize, chunkSize, `instructions-${tasks}`)
}

/** Instructions per request of each kind, in a new process. */
async function measureOnce(
  project: string,
  settings: Readonly<Record<string, string>>,
  chosen: readonly Kind[],
  chunkSize: number,
  counter: InstructionCounter,
): Promise<number[]> {
  const dumps = await mkdtemp(path.join(tmpdir(), 'landfall-instructions-'))
  const server = await startServer(
    async (port, folder) =>
      counter.within(
        {
          program: process.execPath,
          args: [...V8_FLAGS, path.join(project, 'dist/server/main.js')],
          environment: {
            ...MALLOC,
            ...UNLIMITED,
            PORT: String(port),
            DATA_DIR: folder,
            LOG_LEVEL: 'warn',
            DIALECTS,
            ...settings,
          },
        },
        dumps,
      ),
    undefined,
    20_000 * counter.slowdown,
  )
  try {
    const figures: number[] = []
    for (const { warmUp, counted, send } of chosen) {
      await send(server.port, counter.slowdown > 1 ? Math.min(WARM, warmUp) : warmUp, USUAL_CHUNK)
      const count = Math.max(300, Math.floor(counted / counter.slowdown))
      figures.push((await counter.count(server.pid, dumps, () => send(server.port, count, chunkSize))) / count)
    }
    return figures
  } finally {
    await server.stop()
    await rm(dumps, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      base: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      chunk: { type: 'string', default: '16' },
      limit: { type: 'string', default: '1.03' },
      set: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || values.base === undefined) {
    process.stdout.write(HELP)
    return
  }
  const chunkSize = Number(values.chunk) * KIB
  const counter = await findInstructionCounter()
  const rounds = Number(values.rounds ?? (counter.slowdown > 1 ? 1 : 5))
  const chosen = kinds.filter(({ name }) => name.includes(values.only))
  const projects = [path.resolve(values.base), PROJECT] as const
  const settings = Object.fromEntries(values.set.map((text) => [text.split('=')[0] ?? '', text.replace(/^[^=]*=/, '')]))
  const all: [number[][], number[][]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    // The order alternates between rounds.
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const own = which === 0 ? {} : settings
      all[which].push(await measureOnce(projects[which], own, chosen, chunkSize, counter))
      process.stderr.write(`${round + 1}/${rounds}  ${which === 0 ? 'base' : 'here'}\n`)
    }
  }
  process.stdout.write(`Instructions per request of ${values.chunk} KiB, by ${counter.name}, medians of ${rounds}:\n\n`)
  process.stdout.write('| request | base | here | here ÷ base |\n| --- | --- | --- | --- |\n')
  for (const [i, { name }] of chosen.entries()) {
    const [base, here] = all.map((figures) => median(figures.map((each) => each[i] ?? Number.NaN)))
    if (base === undefined || here === undefined) continue
    const ratio = here / base
    process.stdout.write(`| ${name} | ${Math.round(base)} | ${Math.round(here)} | ${ratio.toFixed(3)} |\n`)
    if (!(ratio <= Number(values.limit))) process.exitCode = 1
  }
}

process.on('exit', stopAll)
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
