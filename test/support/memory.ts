import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** The peak memory of a process so far, in MiB. */
export async function peakMemory({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
