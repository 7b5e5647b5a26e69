/** What the admin API costs a service whose clients send small files. */
import path from 'node:path'
import { uploadSmall } from '../client/tus.ts'
import { MALLOC, PROJECT, UNLIMITED, V8_FLAGS } from '../contestants.ts'
import { median } from '../median.ts'
import { startServer } from '../server-process.ts'
import { KIB } from '../sizes.ts'

const SIZE = 64 * KIB
const AT_ONCE = 32

/** The maximum ratio of the times with and without the API. */
const LIMIT = 1.1

/** Uploads files to a service with the API and to one without, in turns. @returns whether it is within the limit. */
export async function compareCost(runs: number, files: number, print: (line: string) => void): Promise<boolean> {
  const [without, withApi]: [number[], number[]] = [[], []]
  for (let run = 0; run < runs; run += 1) {
    without.push(await seconds(files, {}))
    withApi.push(await seconds(files, { ADMIN_PORT: '0', ADMIN_TOKEN: 'x'.repeat(32) }))
  }
  const ratio = median(withApi) / median(without)
  print(`without the admin API: ${listed(without)}`)
  print(`with the admin API:    ${listed(withApi)}`)
  print(`ratio of the medians: ${ratio.toFixed(2)} (at most ${LIMIT})`)
  return ratio <= LIMIT
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

function listed(times: readonly number[]): string {
  return `${median(times).toFixed(2)} s (${times.map((time) => time.toFixed(2)).join(' ')})`
}
