import path from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { Connection } from '../client/connection.ts'
import { createWithUpload } from '../client/tus.ts'
import { MALLOC, PROJECT, UNLIMITED, V8_FLAGS } from '../contestants.ts'
import { median } from '../median.ts'
import { type ServerProcess, startServer, stopAll } from '../server-process.ts'

const HELP = `npm run bench:hooks -- [flags]

  --uploads NUMBER     uploads of 64 KiB without hooks, and with them (500)

Measures what blocking hooks cost a small upload: pre-create and pre-finish, to a receiver on this host. The uploads
without, those with, two calls of the receiver by the HTTP client that the service uses, and two by a bare socket take
turns.
`

const SIZE = 64 * 1024
/** About as long as the payload of a hook. */
const PAYLOAD = 700
const WARM_UP = 50

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { uploads: { type: 'string', default: '500' }, help: { type: 'boolean' } } })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  const receiver = await startServer(async (port) => ({
    program: process.execPath,
    args: [path.join(PROJECT, 'dist/bench/hooks/receiver.js'), String(port)],
  }))
  const without = await startLandfall({})
  const withHooks = await startLandfall({
    HOOKS_URL: `http://127.0.0.1:${receiver.port}`,
    HOOKS_EVENTS: 'pre-create,pre-finish',
  })
  const turns = [
    { name: 'without hooks', run: uploadTo(without) },
    { name: 'with hooks', run: uploadTo(withHooks) },
    { name: 'two calls', run: twoCalls(receiver) },
    { name: 'two bare calls', run: twoBareCalls(receiver) },
  ]
  const times = turns.map(({ name, run }) => ({ name, run, taken: [] as number[] }))
  for (let turn = -WARM_UP; turn < Number(values.uploads); turn += 1) {
    for (const { run, taken } of times) {
      const before = performance.now()
      await run()
      if (turn >= 0) taken.push(performance.now() - before)
    }
  }
  for (const { name, taken } of times) {
    const fast = taken.toSorted((a, b) => a - b)[Math.floor(taken.length / 10)] ?? Number.NaN
    console.log(`${name}: median ${median(taken).toFixed(2)} ms, fastest tenth below ${fast.toFixed(2)} ms`)
  }
  const [plain = 0, hooked = 0, calls = 0, bare = 0] = times.map(({ taken }) => median(taken))
  const cost = hooked - plain
  console.log(
    `hooks cost ${cost.toFixed(2)} ms: ${(cost / calls).toFixed(1)} × two calls, ${(cost / bare).toFixed(1)} × two bare calls`,
  )
}

function startLandfall(settings: Readonly<Record<string, string>>): Promise<ServerProcess> {
  return startServer(async (port, folder) => ({
    program: process.execPath,
    args: [...V8_FLAGS, path.join(PROJECT, 'dist/program/main.js')],
    environment: { ...MALLOC, ...UNLIMITED, PORT: String(port), DATA_DIR: folder, LOG_LEVEL: 'warn', ...settings },
  }))
}

function uploadTo({ port }: ServerProcess): () => Promise<unknown> {
  const connection = new Connection(port)
  return () => createWithUpload(connection, SIZE)
}

function twoCalls({ port }: ServerProcess): () => Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`)
  const body = 'x'.repeat(PAYLOAD)
  const headers = { 'Content-Type': 'application/json' }
  const call = async () => (await pool.request({ path: '/', method: 'POST', body, headers })).body.text()
  return async () => {
    await call()
    await call()
  }
}

function twoBareCalls({ port }: ServerProcess): () => Promise<void> {
  const connection = new Connection(port)
  const call = () => connection.request({ method: 'POST', path: '/', body: { offset: 0, length: PAYLOAD } })
  return async () => {
    await call()
    await call()
  }
}

try {
  await main()
} finally {
  stopAll()
}
