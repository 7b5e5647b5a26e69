import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, truncate } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { preferForOomKill, resetPeak, type Usage, usageOf } from './usage.ts'

/** How a server is started. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** A measured server, on 127.0.0.1. */
export interface ServerProcess {
  readonly pid: number
  readonly port: number
  readonly folder: string
  /** Seconds from the start of the process to its first response. */
  readonly startSeconds: number
  usage(): Promise<Usage>
  resetPeak(): Promise<void>
  /** The end of its standard error. */
  complaints(): string
  /** Sends SIGTERM and waits for the exit. @returns the seconds until then. */
  terminate(): Promise<number>
  /** Kills it with its children and frees the space of its directory, which is removed by `stopAll`. */
  stop(): Promise<void>
}

/** Maximum time until the first response, in milliseconds. */
const START_TIMEOUT = 20_000

/**
 * Starts a server on a free port, with a new directory.
 *
 * @param fill prepares the directory before the start.
 * @param startTimeout maximum time until the first response, in milliseconds.
 * @throws Error when it does not start, exits, or does not respond in time.
 */
export async function startServer(
  command: (port: number, folder: string) => Promise<Command>,
  fill: (folder: string) => Promise<void> = () => Promise.resolve(),
  startTimeout: number = START_TIMEOUT,
): Promise<ServerProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), 'landfall-bench-'))
  await fill(folder)
  const port = await freePort()
  const { program, args, environment } = await command(port, folder)
  const before = performance.now()
  const child = spawn(program, args, {
    // The variables of the bench must not configure a server.
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? folder, ...environment },
    cwd: folder,
    // Its own process group, so its children can be killed with it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running.set(child, folder)
  const complaints = lastOf(child)
  try {
    const pid = await started(child)
    await preferForOomKill(pid)
    await firstResponse(child, port, startTimeout)
    return {
      pid,
      port,
      folder,
      startSeconds: (performance.now() - before) / 1000,
      usage: () => usageOf(pid),
      resetPeak: () => resetPeak(pid),
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
 * Directories of stopped servers, removed at the end of the bench. For minutes, ext4 scans over the inodes of removed
 * files instead of reusing them, which would slow down the next servers.
 */
const ended = new Set<string>()

/** Kills every running server and removes all directories, at the end of the bench. */
export function stopAll(): void {
  for (const child of running.keys()) killGroup(child)
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
  killGroup(child)
  await exit
  running.delete(child)
  ended.add(folder)
  await freeSpace(folder)
}

/** Empties the files of a directory without removing them. */
async function freeSpace(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (entry.isFile()) await truncate(path.join(entry.parentPath, entry.name))
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has exited by itself.
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

/** A free port, which another process could still take before the server does. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function firstResponse(child: ChildProcess, port: number, startTimeout: number): Promise<void> {
  const deadline = performance.now() + startTimeout
  while (!(await responds(port, startTimeout))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('The server exited during its start.')
    if (performance.now() > deadline) throw new Error(`The server did not respond within ${startTimeout / 1000} s.`)
    await wait(2)
  }
}

/** Whether a request to the port gets any response. */
function responds(port: number, startTimeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.setTimeout(startTimeout, () => socket.destroy())
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
    socket.once('data', () => {
      resolve(true)
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
