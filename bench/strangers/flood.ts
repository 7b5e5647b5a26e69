import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { median } from '../median.ts'
import type { Flood } from './flood-kinds.ts'

const FLOODER = fileURLToPath(new URL('flooder.js', import.meta.url))
const TURNS = 4
/** How long a flood runs before the upload begins, in milliseconds: what may come at once is over then. */
const FLOODED = 10_000
const PIECE = Buffer.alloc(32 * 1024 * 1024, 'x')
const PIECES = 8
const SMALL_FILE = Buffer.alloc(64 * 1024, 'x')
const SMALL_FILES = 100

/** An upload of another address: how long it takes, in seconds. */
type Work = (port: number) => Promise<number>

const WORKS: readonly (readonly [name: string, work: Work])[] = [
  ['256 MiB in PATCHes of 32 MiB', timed(largeFile)],
  ['100 files of 64 KiB', timed(smallFiles)],
]

/** Compares uploads alone and during a flood of creations from one other address, in turns. @returns a line for each. */
export async function floodOfCreations(port: number, kind: Flood): Promise<string> {
  const alone: number[][] = WORKS.map(() => [])
  const flooded: number[][] = WORKS.map(() => [])
  const rates: number[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [index, [, work]] of WORKS.entries()) alone[index]?.push(await work(port))
    const flood = await begin(port, kind)
    for (const [index, [, work]] of WORKS.entries()) flooded[index]?.push(await work(port))
    rates.push(...(await flood.end()))
  }
  const lines: string[] = []
  for (const [index, [name]] of WORKS.entries()) {
    const [before, during] = [median(alone[index] ?? []), median(flooded[index] ?? [])]
    const share = `${((100 * before) / during).toFixed(0)} % of its speed`
    const seconds = `${before.toFixed(2)} s alone, ${during.toFixed(2)} s flooded`
    lines.push(`${name} among creations (${kind}, ${median(rates).toFixed(0)} per second): ${share} (${seconds})`)
  }
  return lines.join('\n')
}

async function begin(port: number, kind: Flood): Promise<{ end(): Promise<readonly number[]> }> {
  const child: ChildProcess = spawn(process.execPath, [FLOODER, '--port', String(port), '--kind', kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const rates: number[] = []
  if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => rates.push(Number(line)))
  await pause(FLOODED)
  rates.length = 0
  return {
    end: async () => {
      const exit = once(child, 'exit')
      child.kill()
      await exit
      return rates
    },
  }
}

function timed(work: (port: number) => Promise<void>): Work {
  return async (port) => {
    const before = performance.now()
    await work(port)
    return (performance.now() - before) / 1000
  }
}

async function largeFile(port: number): Promise<void> {
  const made = await send(port, 'POST', '/files', { 'Upload-Length': String(PIECES * PIECE.length) })
  const { pathname } = new URL(made.headers.location ?? '', 'http://localhost')
  for (let piece = 0; piece < PIECES; piece++) {
    const headers = { 'Upload-Offset': String(piece * PIECE.length), 'Content-Type': 'application/offset+octet-stream' }
    await send(port, 'PATCH', pathname, headers, PIECE)
  }
  await send(port, 'DELETE', pathname, {})
}

async function smallFiles(port: number): Promise<void> {
  const headers = { 'Upload-Length': String(SMALL_FILE.length), 'Content-Type': 'application/offset+octet-stream' }
  for (let file = 0; file < SMALL_FILES; file++) await send(port, 'POST', '/files', headers, SMALL_FILE)
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1, localAddress: '127.0.0.2' })

async function send(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer = Buffer.alloc(0),
): Promise<http.IncomingMessage> {
  const all = { 'Tus-Resumable': '1.0.0', 'Content-Length': String(body.length), ...headers }
  const request = http.request({ port, host: '127.0.0.1', method, path, headers: all, agent })
  const answered = once(request, 'response')
  request.end(body)
  const [response]: http.IncomingMessage[] = await answered
  if (response === undefined || (response.statusCode ?? 500) >= 300) {
    throw new Error(`${method} received status ${response?.statusCode}.`)
  }
  response.resume()
  await once(response, 'end')
  return response
}
