import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MALLOC, PROJECT, V8_FLAGS } from '../contestants.ts'
import { type ServerProcess, startServer, stopAll } from '../server-process.ts'
import { canMeasure } from '../usage.ts'
import { connectDeaf, healthSeconds, largestCheck, openHead } from './deaf.ts'
import { joinedIn, makeParts } from './finals.ts'
import { floodOfCreations } from './flood.ts'
import { FLOODS } from './flood-kinds.ts'

const HELP = `npm run bench:strangers -- [flags]

  --main FILE          the program to measure (dist/program/main.js)
  --only NAMES         a comma-separated list of answers, heads, finals, floods, or of
                       some floods: unfinished, empty, metadata, tasks
  --connections LIST   numbers of connections, one measurement each (60,250,500)

Measures the cost of hostile clients: peak memory, and the response time of /healthz, while connections never read the
largest responses, or never finish the largest request heads; and the time to create a final upload of two parts while
others create final uploads of 450 parts; and the speed of an upload while another address creates uploads.
`

/** Time for both processes to settle before the peak is reset. Milliseconds. */
const SETTLE = 500
/** Observation time after the last connection has sent its bytes. Milliseconds. */
const WATCHED = 5_000

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      main: { type: 'string', default: path.join(PROJECT, 'dist/program/main.js') },
      only: { type: 'string', default: 'answers,heads,finals,floods' },
      connections: { type: 'string', default: '60,250,500' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    return
  }
  if (!canMeasure()) throw new Error('The measurement needs Linux: it reads the usage of the program from /proc.')
  const wanted = values.only.split(',')
  const counts = values.connections.split(',').map(Number)
  for (const count of counts) {
    if (wanted.includes('answers')) await measured(values.main, (server) => answersNotRead(server, count))
    if (wanted.includes('heads')) await measured(values.main, (server) => headsWithoutEnd(server, count))
  }
  if (wanted.includes('finals')) await measured(values.main, finalsOfOthers)
  for (const kind of FLOODS) {
    if (wanted.includes('floods') || wanted.includes(kind))
      await measured(values.main, ({ port }) => floodOfCreations(port, kind))
  }
}

async function measured(main: string, work: (server: ServerProcess) => Promise<string>): Promise<void> {
  const server = await startServer(async (port, folder) => ({
    program: process.execPath,
    args: [...V8_FLAGS, main],
    environment: { ...MALLOC, ...limits(), PORT: String(port), DATA_DIR: path.join(folder, 'data'), LOG_LEVEL: 'warn' },
  }))
  try {
    process.stdout.write(`${await work(server)}\n`)
  } finally {
    await server.stop()
  }
}

/** The limits of the program that is measured, if they are not the default ones. */
function limits(): Readonly<Record<string, string>> {
  const { CREATIONS_PER_MINUTE } = process.env
  return CREATIONS_PER_MINUTE === undefined ? {} : { CREATIONS_PER_MINUTE }
}

async function answersNotRead(server: ServerProcess, count: number): Promise<string> {
  const request = await largestCheck(server.port)
  return peakDuring(server, `${count} connections that never read the largest /check response`, count, (port) =>
    connectDeaf(port, request),
  )
}

async function headsWithoutEnd(server: ServerProcess, count: number): Promise<string> {
  return peakDuring(server, `${count} connections that never finish the largest request head`, count, (port) =>
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
  await server.resetPeak()
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
  // The await below reports the error.
  others.catch(() => undefined)
  await pause(50)
  const among = await joinedIn(port, second)
  const longest = Math.max(...(await others))
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`
  const crowd = `eight of 450 parts (at most ${ms(longest)})`
  return `a final upload of two parts: ${ms(alone)} alone, ${ms(among)} among ${crowd}`
}

main()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
  .finally(stopAll)
