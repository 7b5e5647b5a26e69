import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { MIB } from './sizes.ts'

/** Resources that a process and its descendants have used, by proc(5). */
export interface Usage {
  /** Seconds of CPU time, in user mode and in the kernel. */
  readonly cpu: number
  /** Peak resident memory in MiB, since the start or the last `resetPeak`. */
  readonly peak: number
  /** Current resident memory in MiB. */
  readonly resident: number
  /** Bytes written to the disk. */
  readonly written: number
}

/** Linux reports these times in hundredths of a second, whatever its timer frequency. */
const TICKS_PER_SECOND = 100

/** Whether this OS reports the usage of processes. */
export function canMeasure(): boolean {
  return existsSync('/proc/self/stat') && existsSync('/proc/self/io')
}

/** The usage of a process and its descendants. @throws Error when the process has exited. */
export async function usageOf(pid: number): Promise<Usage> {
  const parts = await Promise.all((await familyOf(pid)).map(usageOfOne))
  const sum = (of: (part: Usage) => number): number => parts.reduce((all, part) => all + of(part), 0)
  return {
    cpu: sum((part) => part.cpu),
    peak: sum((part) => part.peak),
    resident: sum((part) => part.resident),
    written: sum((part) => part.written),
  }
}

/** Resets `peak`, if the kernel supports that. */
export async function resetPeak(pid: number): Promise<void> {
  for (const member of await familyOf(pid)) {
    await writeFile(`/proc/${member}/clear_refs`, '5').catch(() => undefined)
  }
}

/** Makes the kernel kill the measured server first when memory runs out. */
export async function preferForOomKill(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/oom_score_adj`, '1000').catch(() => undefined)
}

async function usageOfOne(pid: number): Promise<Usage> {
  const fields = await statOf(pid)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const io = await readFile(`/proc/${pid}/io`, 'utf8')
  // User and system time of the process, then of its exited children.
  const ticks = fields.slice(11, 15).reduce((all, field) => all + Number(field), 0)
  return {
    cpu: ticks / TICKS_PER_SECOND,
    peak: (numberAfter('VmHWM:', status) * 1024) / MIB,
    resident: (numberAfter('VmRSS:', status) * 1024) / MIB,
    written: numberAfter('\nwrite_bytes:', io),
  }
}

/** The process and its descendants. */
async function familyOf(pid: number): Promise<readonly number[]> {
  const children = new Map<number, number[]>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = await statOf(Number(name)).catch(() => undefined)
    if (fields === undefined) continue
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const family = [pid]
  for (const member of family) family.push(...(children.get(member) ?? []))
  return family
}

/** The fields of /proc/PID/stat from the state on. The name before them may contain any characters. */
async function statOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function numberAfter(label: string, text: string): number {
  const at = text.indexOf(label)
  if (at < 0) throw new Error(`/proc has no ${label.trim()} of this process: it has exited.`)
  return Number.parseInt(text.slice(at + label.length), 10)
}
