import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type { Program } from '../support/program.ts'

type Strace = ChildProcessByStdio<null, null, Readable>

/** System calls that fail in every thread of a program. */
export interface FailingCalls {
  /** Lets them succeed again. @returns how many have failed. */
  end(): Promise<number>
  /** How many calls have failed so far. */
  failed(): Promise<number>
}

/** The calls by purpose: architectures differ in the calls that they have. */
export const CALLS = {
  open: ['open', 'openat'],
  list: ['getdents', 'getdents64'],
  'look at': ['stat', 'lstat', 'fstat', 'newfstatat', 'statx'],
  read: ['pread64', 'preadv', 'preadv2'],
  write: ['pwrite64', 'pwritev', 'pwritev2'],
  sync: ['fsync', 'fdatasync'],
  rename: ['rename', 'renameat', 'renameat2'],
  'make a folder': ['mkdir', 'mkdirat'],
  link: ['link', 'linkat'],
  remove: ['unlink', 'unlinkat', 'rmdir'],
  listen: ['bind'],
} as const
export type Call = keyof typeof CALLS

/**
 * The arguments with which strace makes calls fail.
 *
 * @param paths limits this to these files; by default, all calls fail.
 */
export function failing(call: Call, error: string, paths: readonly string[]): string[] {
  // The question mark allows for calls that an architecture lacks.
  const calls = CALLS[call].map((name) => `?${name}`).join(',')
  const filters = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}`]
  return ['-f', ...filters, ...paths.flatMap((file) => ['-P', file])]
}

/** Kills a running program at its first write to one of these files, from the moment this returns. */
export async function killAtWrite(program: Program, paths: readonly string[]): Promise<void> {
  const calls = '?write,?pwrite64'
  const filters = [
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:signal=KILL`,
    ...paths.flatMap((file) => ['-P', file]),
  ]
  await attached(spawnStrace(program, ['-f', ...filters]))
}

/**
 * Makes calls of a running program fail from the moment this returns, as if the kernel refused them.
 *
 * @throws Error with the output of strace if it cannot trace the program.
 */
export async function failCalls(
  program: Program,
  call: Call,
  error: string,
  paths: readonly string[] = [],
): Promise<FailingCalls> {
  const folder = await mkdtemp(path.join(tmpdir(), 'landfall-strace-'))
  const trace = path.join(folder, 'trace')
  const strace = spawnStrace(program, ['-o', trace, ...failing(call, error, paths)])
  const ended = once(strace, 'exit')
  await attached(strace)
  const failed = async (): Promise<number> => {
    const lines = (await readFile(trace, 'utf8')).split('\n')
    return lines.filter((line) => line.endsWith('(INJECTED)')).length
  }
  return {
    failed,
    end: async () => {
      strace.kill('SIGTERM')
      await ended
      const count = await failed()
      await rm(folder, { recursive: true })
      return count
    },
  }
}

function spawnStrace({ process }: Program, args: readonly string[]): Strace {
  return spawn('strace', ['-p', String(process.pid), ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
}

async function attached(strace: Strace): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let said = ''
    strace.once('error', reject)
    strace.once('exit', () => reject(new Error(`strace cannot trace the program: ${said}`)))
    strace.stderr.on('data', (text) => {
      said += text
      if (said.includes(' attached')) resolve()
    })
  })
}
