import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { MIB } from './sizes.ts'

/** What the kernel says that a process and its descendants have used (proc(5)). */
export interface Usage {
  /** Seconds of CPU time, in user mode and in the kernel. */
  readonly cpu: number
  /** Peak resident memory in MiB, since the start or the last `forgetPeak`. */
  readonly peak: number
  /** Resident memory now in MiB. */
  readonly resident: number
  /** Bytes handed to the disk. */
  readonly written: number
}

/** Linux shows these times in hundredths of a second, whatever its timer runs at. */
const TICKS_PER_SECOND = 100

/** Whether this system tells what processes use. */
export function canMeasure(): boolean {
  return existsSync('/proc/self/stat') && existsSync('/proc/self/io')
}

/** What a process and its descendants use. @throws Error when the process has ended. */
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

/** From now on `peak` is of what comes. Where the kernel does not offer that, the peak remains that since the start. */
export async function forgetPeak(pid: number): Promise<void> {
  for (const member of await familyOf(pid)) {
    await writeFile(`/proc/${member}/clear_refs`, '5').catch(() => undefined)
  }
}

/** When memory runs out, the kernel ends the measured server and nothing else. */
export async function offerToKernel(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/oom_score_adj`, '1000').catch(() => undefined)
}

async function usageOfOne(pid: number): Promise<Usage> {
  const fields = await statOf(pid)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const io = await readFile(`/proc/${pid}/io`, 'utf8')
  // User and system time of the process, then those of its children that have ended.
  const ticks = fields.slice(11, 15).reduce((all, field) => all + Number(field), 0)
  return {
    cpu: ticks / TICKS_PER_SECOND,
    peak: (numberAfter('VmHWM:', status) * 1024) / MIB,
    resident: (numberAfter('VmRSS:', status) * 1024) / MIB,
    written: numberAfter('\nwrite_bytes:', io),
  }
}

/** The process, its children, theirs, and so on. */
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

/** The fields of /proc/PID/stat from the state on; before them stands a name that may hold anything. */
async function statOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function numberAfter(label: string, text: string): number {
  const at = text.indexOf(label)
  if (at < 0) throw new Error(`/proc has no ${label.trim()} of this process: it has ended.`)
  return Number.parseInt(text.slice(at + label.length), 10)
}
