import { MIB } from '../sizes.ts'
import type { Answer } from './answer-parser.ts'
import { Connection } from './connection.ts'
import { isPatternAt } from './pattern.ts'

const RANGE = MIB

const drop = (): void => undefined

/** Downloads a file of `size` bytes and discards it. @throws Error when it has another size. */
export async function download(port: number, path: string, size: number): Promise<void> {
  const connection = new Connection(port)
  expect(await connection.request({ method: 'GET', path, onBody: drop }), 200, size)
  connection.close()
}

/** Downloads a file and compares it with the pattern. @throws Error when a byte is wrong. */
export async function checkDownload(port: number, path: string, size: number): Promise<void> {
  const connection = new Connection(port)
  const { onBody, check } = comparison(0)
  expect(await connection.request({ method: 'GET', path, onBody }), 200, size)
  check()
  connection.close()
}

/**
 * Downloads `count` ranges of 1 MiB from a file of `size` bytes over `lanes` connections; the offsets are the same in
 * every run.
 *
 * @throws Error when a response is not exactly the requested range.
 */
export async function downloadRanges(port: number, path: string, size: number, count: number, lanes: number) {
  const offsets = scattered(count, size - RANGE)
  const lane = async (): Promise<void> => {
    const connection = new Connection(port)
    for (let offset = offsets.pop(); offset !== undefined; offset = offsets.pop()) {
      await downloadRange(connection, path, offset, size, drop)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Downloads some ranges and compares them with the pattern. @throws Error when a byte is wrong. */
export async function checkRanges(port: number, path: string, size: number): Promise<void> {
  const connection = new Connection(port)
  for (const offset of scattered(16, size - RANGE)) {
    const { onBody, check } = comparison(offset)
    await downloadRange(connection, path, offset, size, onBody)
    check()
  }
  connection.close()
}

async function downloadRange(
  connection: Connection,
  path: string,
  offset: number,
  size: number,
  onBody: (bytes: Buffer) => void,
): Promise<void> {
  const last = offset + RANGE - 1
  const headers = { Range: `bytes=${offset}-${last}` }
  const answer = await connection.request({ method: 'GET', path, headers, onBody })
  expect(answer, 206, RANGE)
  const reported = answer.headers.get('content-range')
  if (reported !== `bytes ${offset}-${last}/${size}`) throw new Error(`A range was answered with ${reported}.`)
}

function expect(answer: Answer, status: number, length: number): void {
  if (answer.status !== status) throw new Error(`GET was answered with ${answer.status}, not ${status}.`)
  if (answer.length !== length) throw new Error(`A download has ${answer.length} bytes, not ${length}.`)
}

function comparison(offset: number): { onBody(bytes: Buffer): void; check(): void } {
  let at = offset
  let right = true
  return {
    onBody: (bytes) => {
      right &&= isPatternAt(at, bytes)
      at += bytes.length
    },
    check: () => {
      if (!right) throw new Error('A download has other bytes than were uploaded.')
    },
  }
}

/** Whole numbers from 0 to `most`, by the generator of Park and Miller. */
function scattered(count: number, most: number): number[] {
  let state = 20_261_124
  return Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647
    return Math.floor((state / 2_147_483_647) * (most + 1))
  })
}
