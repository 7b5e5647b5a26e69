import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { findProgram, outputOf } from './programs.ts'
import type { Command } from './server-process.ts'

/** Counts the instructions that a process executes in user mode. */
export interface InstructionCounter {
  readonly name: string
  /** The approximate factor by which counting slows the process down. */
  readonly slowdown: number
  /** Wraps the command that starts the process. */
  within(command: Command, folder: string): Command
  /**
   * @param folder as given to `within`. @returns the number of instructions that the process executes during `work`.
   */
  count(pid: number, folder: string, work: () => Promise<unknown>): Promise<number>
}

/**
 * The best counter on this host: perf with the hardware counter, or valgrind, which needs none.
 *
 * @throws Error with a sentence that says what to install.
 */
export async function findInstructionCounter(): Promise<InstructionCounter> {
  const perf = await findProgram('PERF', 'perf')
  if (perf !== undefined && (await canCount(perf))) return perfCounter(perf)
  const [valgrind, control] = [await findProgram('VALGRIND', 'valgrind'), await findProgram('', 'callgrind_control')]
  if (valgrind !== undefined && control !== undefined) return callgrindCounter(valgrind, control)
  const install = 'On Debian: apt-get install linux-perf, or valgrind where no hardware counter is available'
  throw new Error(`Neither perf nor valgrind can count instructions here. ${install} (in most virtual machines).`)
}

const PERF_EVENT = ['stat', '-x', ',', '-e', 'instructions:u']

async function canCount(perf: string): Promise<boolean> {
  const reported = await outputOf(perf, [...PERF_EVENT, process.execPath, '--version'])
  return reported !== undefined && perfCountIn(reported) !== undefined
}

function perfCountIn(reported: string): number | undefined {
  const count = /^(\d+),,instructions/m.exec(reported)?.[1]
  return count === undefined ? undefined : Number(count)
}

function perfCounter(perf: string): InstructionCounter {
  return {
    name: 'perf stat',
    slowdown: 1,
    within: (command) => command,
    count: async (pid, _, work) => {
      const args = [...PERF_EVENT, '-D', '-1', '--control', 'fd:3,4', '-p', String(pid)]
      const child = spawn(perf, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] })
      const [, , output, control, acknowledged] = child.stdio
      if (!output || !control || !('write' in control) || !acknowledged) throw new Error('perf has no pipes.')
      const reported = text(output)
      const order = async (word: string): Promise<void> => {
        const answer = once(acknowledged, 'data')
        control.write(`${word}\n`)
        await answer
      }
      await order('enable')
      await work()
      await order('disable')
      const exit = once(child, 'exit')
      child.kill('SIGINT')
      await exit
      const count = perfCountIn(await reported)
      if (count === undefined) throw new Error('perf reported no instructions.')
      return count
    },
  }
}

const DUMP = 'callgrind.out'

function callgrindCounter(valgrind: string, control: string): InstructionCounter {
  const tell = async (...args: readonly string[]): Promise<void> => {
    if ((await outputOf(control, args)) === undefined) throw new Error('callgrind_control does not reach the process.')
  }
  return {
    name: 'callgrind',
    slowdown: 50,
    within: ({ program, args, environment }, folder) => ({
      program: valgrind,
      args: [
        ...['-q', '--tool=callgrind', '--instr-atstart=no', '--smc-check=all-non-file'],
        ...[`--callgrind-out-file=${path.join(folder, DUMP)}`, program, ...args],
      ],
      ...(environment === undefined ? {} : { environment }),
    }),
    count: async (pid, folder, work) => {
      const before = await totalIn(folder)
      await tell('-i', 'on', String(pid))
      await work()
      await tell('-i', 'off', String(pid))
      await tell('-d', String(pid))
      const count = (await totalIn(folder)) - before
      if (count === 0) throw new Error('callgrind reported no instructions.')
      return count
    },
  }
}

/** The sum over the dumps of a process: each has the instructions since the one before. */
async function totalIn(folder: string): Promise<number> {
  let total = 0
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${DUMP}.`)) continue
    const found = /^totals: (\d+)/m.exec(await readFile(path.join(folder, name), 'latin1'))?.[1]
    total += Number(found ?? 0)
  }
  return total
}
