import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

/** What the kernel says that a process has used. */
export interface Usage {
  /** Seconds of both kinds of CPU time. */
  readonly cpu: number
  /** Peak resident memory in MiB. */
  readonly peak: number
  /** Bytes handed to the disk. */
  readonly written: number
}

/** A server under measurement. */
export interface ServerProcess {
  readonly url: string
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/** Starts a server with a data folder of its own. @param args of node; `DIR` stands for the folder. */
export async function startServer(
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), 'landfall-bench-'))
  const child = spawn(
    process.execPath,
    args.map((arg) => (arg === 'DIR' ? folder : arg)),
    { env: { ...process.env, PORT: '0', DATA_DIR: folder, ...settings }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const url = await listening(child)
  return {
    url,
    usage: () => usageOf(child.pid ?? 0),
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`A server ended with ${code}.`)))
    if (child.stdout === null) return
    createInterface(child.stdout).on('line', (line) => {
      const found = /http:\/\/\S+/.exec(line)
      if (found !== null) resolve(found[0])
    })
  })
}

/** Linux only: /proc/PID (proc(5)). */
async function usageOf(pid: number): Promise<Usage> {
  const [stat, status, io] = await Promise.all(
    ['stat', 'status', 'io'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
  )
  const ticks = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ')
  return {
    cpu: (Number(ticks[11]) + Number(ticks[12])) / 100,
    peak: Number(/VmHWM:\s+(\d+)/.exec(status ?? '')?.[1]) / 1024,
    written: Number(/^write_bytes: (\d+)/m.exec(io ?? '')?.[1]),
  }
}
