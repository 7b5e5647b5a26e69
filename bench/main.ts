import path from 'node:path'
import { type Arguments, HELP, readArguments } from './arguments.ts'
import { findContestants, isNamed, PROJECT } from './contestants.ts'
import { type Results, readResults, writeResults } from './results.ts'
import { runAll } from './run.ts'
import { stopAll } from './server-process.ts'
import { renderTable } from './table.ts'
import { judge, readTargets } from './targets.ts'
import { canMeasure } from './usage.ts'
import { curves, workloads } from './workloads.ts'

const RESULTS = path.join(PROJECT, 'bench/results')

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2))
  if (options === undefined) {
    process.stdout.write(HELP)
    return
  }
  const results = options.from === undefined ? await run(options) : await readResults(options.from)
  if (options.publish) await writeResults(path.join(RESULTS, `${nameOf('published', options)}.json`), results)
  process.stdout.write(renderTable(results))
  if (options.mode === 'curves') await draw(results)
  if (options.check) await check(results)
}

async function run(options: Arguments): Promise<Results> {
  if (!canMeasure()) throw new Error('The bench needs Linux: it reads the usage of servers from /proc.')
  const { contestants, absent } = await findContestants(options.peers)
  if (absent.length > 0) tell(`Not on this host: ${absent.join(', ')}.`)
  const all = options.mode === 'table' ? workloads : curves
  const chosen = all.filter(({ name }) => isNamed(name, options.only === '' ? [] : [options.only]))
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  const file = path.join(RESULTS, `${nameOf(time, options)}.json`)
  return runAll({ workloads: chosen, contestants, absent, rounds: options.rounds }, tell, (results) =>
    writeResults(file, results),
  )
}

async function draw(results: Results): Promise<void> {
  // Loaded late, because the table does not need the chart library.
  const { drawCurves } = await import('./charts.ts')
  await drawCurves(results, path.join(PROJECT, 'docs'))
}

async function check(results: Results): Promise<void> {
  const verdicts = judge(results, await readTargets(path.join(PROJECT, 'bench/targets.json')))
  process.stdout.write(`\n${verdicts.map(({ sentence }) => `${sentence}\n`).join('')}`)
  if (verdicts.some(({ outcome }) => outcome !== 'met')) process.exitCode = 1
}

function nameOf(name: string, { mode }: Arguments): string {
  return mode === 'table' ? name : `${name}-curves`
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

process.on('exit', stopAll)
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

main().catch((error: unknown) => {
  tell(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
