import { setTimeout as wait } from 'node:timers/promises'
import type { Contestant } from './contestants.ts'
import { currentCommit, describeMachine } from './machine.ts'
import type { Figures, Results } from './results.ts'
import { startServer } from './server-process.ts'
import type { Workload } from './workloads.ts'

/** Maximum duration of one run, in milliseconds. */
const RUN_TIMEOUT = 300_000

/** What to run. */
export interface Plan {
  readonly workloads: readonly Workload[]
  readonly contestants: readonly Contestant[]
  readonly absent: readonly string[]
  readonly rounds: number
}

/**
 * Runs every workload: in each round, once per capable server, in a new process and directory. Each round starts with
 * another server, so none is always the first.
 *
 * @param tell receives lines of progress.
 * @param keep receives the results so far, after each workload.
 */
export async function runAll(
  { workloads, contestants, absent, rounds }: Plan,
  tell: (line: string) => void,
  keep: (results: Results) => Promise<void>,
): Promise<Results> {
  const commit = await currentCommit()
  const results: Results = {
    startedAt: new Date().toISOString(),
    rounds,
    machine: describeMachine(),
    ...(commit === undefined ? {} : { commit }),
    contestants: contestants.map(({ name, version, settings }) => ({ name, version, settings })),
    absent: absent.map((name) => ({ name })),
    workloads: workloads.map(({ name, unit, point }) => ({ name, unit, ...(point === undefined ? {} : { point }) })),
    runs: [],
    failures: [],
  }
  for (const workload of workloads) {
    for (let round = 1; round <= rounds; round++) {
      const able = contestants.filter(({ can }) => can.includes(workload.needs))
      for (const contestant of rotated(able, round - 1)) {
        const which = { workload: workload.name, server: contestant.name, round }
        const label = `${round}/${rounds}  ${workload.name}  ${contestant.name}`
        try {
          const figures = await runOnce(workload, contestant, tell)
          results.runs.push({ ...which, figures })
          tell(`${label}  ${summaryOf(workload, figures)}`)
        } catch (error) {
          const reason = withoutPaths(error instanceof Error ? error.message : String(error))
          results.failures.push({ ...which, reason })
          tell(`${label}  failed: ${reason}`)
        }
      }
    }
    await keep(results)
  }
  return results
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const first = items.length === 0 ? 0 : by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

async function runOnce(workload: Workload, contestant: Contestant, tell: (line: string) => void): Promise<Figures> {
  const server = await startServer(
    contestant.command,
    (folder) => workload.fill?.(folder, contestant) ?? Promise.resolve(),
  )
  try {
    return await limited(workload.run(server, contestant))
  } catch (error) {
    const complaints = server.complaints()
    if (complaints !== '') tell(complaints)
    throw error
  } finally {
    await server.stop()
  }
}

async function limited<T>(work: Promise<T>): Promise<T> {
  const done = new AbortController()
  const late = wait(RUN_TIMEOUT, undefined, { signal: done.signal }).then(() => {
    throw new Error(`Not done within ${RUN_TIMEOUT / 1000} s.`)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    late.catch(() => undefined)
    done.abort()
  }
}

function summaryOf({ unit }: Workload, { time, cpu, clientCpu, peak }: Figures): string {
  const parts = [`${time.toFixed(2)} ${unit}`, `CPU ${cpu.toFixed(2)} s`, `client ${clientCpu.toFixed(2)} s`]
  return `${parts.join(', ')}, peak ${peak.toFixed(0)} MiB`
}

/** Results may be published, so they must not reveal paths of the host. */
function withoutPaths(text: string): string {
  return text.replace(/(?:\/[\w.@+-]+){2,}/g, '(path)')
}
