import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MALLOC, PROJECT, V8_FLAGS } from '../contestants.ts'
import { type ServerProcess, startServer, stopAll } from '../server-process.ts'
import { canMeasure } from '../usage.ts'
import { connectDeaf, healthSeconds, largestCheck, openHead } from './deaf.ts'
import { joinedIn, makeParts } from './finals.ts'

const HELP = `npm run bench:strangers -- [flags]

  --main FILE          the program to measure (dist/server/main.js)
  --only NAMES         answers, heads, finals: some of them, separated by commas
  --connections LIST   how many connections, one measurement each (60,250,500)

What clients that want nothing can make the service spend: its peak memory and the time of /healthz while connections read nothing of
the largest answers, or never end the largest head of a request; and how long a final upload of two parts takes while others of 450
parts are made.
`

/** Two processes need a moment to settle before a peak belongs to what follows. Milliseconds. */
const SETTLE = 500
/** For how long a peak is watched after the last connection has sent its bytes. Milliseconds. */
const WATCHED = 5_000

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      main: { type: 'string', default: path.join(PROJECT, 'dist/server/main.js') },
      only: { type: 'string', default: 'answers,heads,finals' },
      connections: { type: 'string', default: '60,250,500' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  if (!canMeasure()) throw new Error('The measurement needs Linux: it reads from /proc what the program uses.')
  const wanted = values.only.split(',')
  const counts = values.connections.split(',').map(Number)
  for (const count of counts) {
    if (wanted.includes('answers')) await measured(values.main, (server) => answersNotRead(server, count))
    if (wanted.includes('heads')) await measured(values.main, (server) => headsWithoutEnd(server, count))
  }
  if (wanted.includes('finals')) await measured(values.main, finalsOfOthers)
}

async function measured(main: string, work: (server: ServerProcess) => Promise<string>): Promise<void> {
  const server = await startServer(async (port, folder) => ({
    program: process.execPath,
    args: [...V8_FLAGS, main],
    environment: { ...MALLOC, PORT: String(port), DATA_DIR: path.join(folder, 'data'), LOG_LEVEL: 'warn' },
  }))
  try {
    process.stdout.write(`${await work(server)}\n`)
  } finally {
    await server.stop()
  }
}

async function answersNotRead(server: ServerProcess, count: number): Promise<string> {
  const request = await largestCheck(server.port)
  return peakDuring(server, `${count} connections that read nothing of the largest /check`, count, (port) =>
    connectDeaf(port, request),
  )
}

async function headsWithoutEnd(server: ServerProcess, count: number): Promise<string> {
  return peakDuring(server, `${count} connections with the largest head, without its end`, count, (port) =>
    connectDeaf(port, openHead()),
  )
}

async function peakDuring(
  server: ServerProcess,
  what: string,
  count: number,
  begin: (port: number) => Promise<{ readonly destroy: () => void }>,
): Promise<string> {
  await pause(SETTLE)
  await server.forgetPeak()
  const sockets = await Promise.all(Array.from({ length: count }, () => begin(server.port)))
  let slowest = 0
  const end = performance.now() + WATCHED
  try {
    while (performance.now() < end) slowest = Math.max(slowest, await healthSeconds(server.port))
    const { peak } = await server.usage()
    return `${what}: peak ${peak.toFixed(0)} MiB, /healthz at most ${(slowest * 1000).toFixed(0)} ms`
  } catch (error) {
    return `${what}: ${error instanceof Error ? error.message : error} ${server.complaints().slice(0, 200)}`
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

async function finalsOfOthers({ port }: ServerProcess): Promise<string> {
  const own = await makeParts(port, 2)
  const alone = await joinedIn(port, own)
  const second = await makeParts(port, 2)
  const large = []
  for (let count = 0; count < 8; count++) large.push(await makeParts(port, 450))
  const others = Promise.all(large.map((parts) => joinedIn(port, parts)))
  // Whoever waits for them gets the error.
  others.catch(() => undefined)
  await pause(50)
  const among = await joinedIn(port, second)
  const longest = Math.max(...(await others))
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`
  return `a final upload of two parts: ${ms(alone)} alone, ${ms(among)} among eight of 450 parts (at most ${ms(longest)})`
}

main()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
  .finally(stopAll)
