import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, truncate } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { forgetPeak, offerToKernel, type Usage, usageOf } from './usage.ts'

/** How a server is started. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** A server under measurement, on 127.0.0.1. */
export interface ServerProcess {
  readonly pid: number
  readonly port: number
  readonly folder: string
  /** Seconds from the start of the process to its first answer. */
  readonly startSeconds: number
  usage(): Promise<Usage>
  forgetPeak(): Promise<void>
  /** The last lines that it wrote to its standard error. */
  complaints(): string
  /** Sends SIGTERM and waits for the exit. @returns the seconds until then. */
  terminate(): Promise<number>
  /** Ends it with all that it has started, and frees the space of its folder, which stays until `stopAll`. */
  stop(): Promise<void>
}

/** How long a server may take to answer for the first time, in milliseconds. */
const PATIENCE = 20_000

/**
 * Starts a server on a free port, with a new folder.
 *
 * @param fill prepares the folder before the start.
 * @param patience maximum time until the first response, in milliseconds.
 * @throws Error when it cannot be started, ends, or does not answer in time.
 */
export async function startServer(
  command: (port: number, folder: string) => Promise<Command>,
  fill: (folder: string) => Promise<void> = () => Promise.resolve(),
  patience: number = PATIENCE,
): Promise<ServerProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), 'landfall-bench-'))
  await fill(folder)
  const port = await freePort()
  const { program, args, environment } = await command(port, folder)
  const before = performance.now()
  const child = spawn(program, args, {
    // None of the variables around the bench must set something in a server.
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? folder, ...environment },
    cwd: folder,
    // A group of its own, so that it can be ended with its children.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running.set(child, folder)
  const complaints = lastOf(child)
  try {
    const pid = await started(child)
    await offerToKernel(pid)
    await firstAnswer(child, port, patience)
    return {
      pid,
      port,
      folder,
      startSeconds: (performance.now() - before) / 1000,
      usage: () => usageOf(pid),
      forgetPeak: () => forgetPeak(pid),
      complaints,
      terminate: () => terminate(child),
      stop: () => stop(child, folder),
    }
  } catch (error) {
    await stop(child, folder)
    throw new Error(`${error instanceof Error ? error.message : error} ${complaints()}`.trim())
  }
}

const running = new Map<ChildProcess, string>()
/**
 * Folders of servers that have ended. They go at the end of the bench: for minutes ext4 does not use the inodes of removed
 * files again but passes over them one by one, so that the next servers would pay for each file that the last ones made.
 */
const ended = new Set<string>()

/** Ends every server that still runs and removes all folders: for the end of the bench itself. */
export function stopAll(): void {
  for (const child of running.keys()) endGroup(child)
  for (const folder of [...running.values(), ...ended]) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function terminate(child: ChildProcess): Promise<number> {
  const before = performance.now()
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
  return (performance.now() - before) / 1000
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const hasEnded = child.pid === undefined || child.exitCode !== null || child.signalCode !== null
  const exit = hasEnded ? undefined : once(child, 'exit')
  endGroup(child)
  await exit
  running.delete(child)
  ended.add(folder)
  await freeSpace(folder)
}

/** Empties the files of a folder without removing them. */
async function freeSpace(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (entry.isFile()) await truncate(path.join(entry.parentPath, entry.name))
  }
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => resolve(child.pid ?? 0))
  })
}

function lastOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    text = `${text}${piece}`.slice(-2000)
  })
  return () => text.trim()
}

/** Any free port; between here and the server's start nobody else is expected to take it. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function firstAnswer(child: ChildProcess, port: number, patience: number): Promise<void> {
  const deadline = performance.now() + patience
  while (!(await answers(port, patience))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('The server ended at its start.')
    if (performance.now() > deadline) throw new Error(`The server gave no answer within ${patience / 1000} s.`)
    await wait(2)
  }
}

/** Whether a request to the port brings anything back. */
function answers(port: number, patience: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.setTimeout(patience, () => socket.destroy())
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
    socket.once('data', () => {
      resolve(true)
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
