import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { uploadSmall } from '../client/tus.ts'
import { MALLOC, PROJECT, UNLIMITED, V8_FLAGS } from '../contestants.ts'
import { median } from '../median.ts'
import { startServer, stopAll } from '../server-process.ts'
import { KIB } from '../sizes.ts'

/** The maximum ratio of the times with and without webhooks. */
const LIMIT = 1.3

const HELP = `npm run bench:webhooks -- [flags]

  --runs N    runs with webhooks, and as many without, in turns (7)
  --files N   files in each run (2000)

Uploads files of 64 KiB, 32 at once, with SYNC=finish, to a service with a receiver of webhooks and to one
without, and prints the ratio of the median times. It fails above ${LIMIT}.
`

const SIZE = 64 * KIB
const AT_ONCE = 32
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '7' },
      files: { type: 'string', default: '2000' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  const [runs, files] = [Number(values.runs), Number(values.files)]
  if (![runs, files].every((number) => Number.isInteger(number) && number > 0)) {
    throw new Error('--runs and --files must be whole numbers above 0.')
  }
  const receiver = await startReceiver()
  const [without, withWebhooks]: [number[], number[]] = [[], []]
  try {
    for (let run = 0; run < runs; run += 1) {
      without.push(await seconds(files, {}))
      withWebhooks.push(await seconds(files, { WEBHOOK_URLS: receiver.url, WEBHOOK_SECRET: SECRET }))
    }
  } finally {
    receiver.process.kill('SIGKILL')
  }
  const ratio = median(withWebhooks) / median(without)
  process.stdout.write(`without webhooks: ${listed(without)}\nwith webhooks:    ${listed(withWebhooks)}\n`)
  process.stdout.write(`ratio of the medians: ${ratio.toFixed(2)} (at most ${LIMIT})\n`)
  if (ratio > LIMIT) process.exitCode = 1
}

/** How long the uploads take. */
async function seconds(files: number, settings: Readonly<Record<string, string>>): Promise<number> {
  const server = await startServer(async (port, folder) => ({
    program: process.execPath,
    args: [...V8_FLAGS, path.join(PROJECT, 'dist/program/main.js')],
    environment: {
      ...MALLOC,
      ...UNLIMITED,
      PORT: String(port),
      DATA_DIR: path.join(folder, 'data'),
      SYNC: 'finish',
      LOG_LEVEL: 'warn',
      ...settings,
    },
  }))
  try {
    const before = performance.now()
    await uploadSmall(server.port, files, SIZE, AT_ONCE)
    return (performance.now() - before) / 1000
  } finally {
    await server.stop()
  }
}

async function startReceiver(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('receiver.js', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = await once(createInterface(child.stdout), 'line')
  return { url: `http://127.0.0.1:${port}`, process: child }
}

function listed(times: readonly number[]): string {
  return `${median(times).toFixed(2)} s (${times.map((time) => time.toFixed(2)).join(' ')})`
}

main()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
  .finally(stopAll)
