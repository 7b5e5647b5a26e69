import path from 'node:path'
import { type Asked, HELP, readArguments } from './arguments.ts'
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
  const asked = readArguments(process.argv.slice(2))
  if (asked === undefined) {
    process.stdout.write(HELP)
    return
  }
  const results = asked.from === undefined ? await run(asked) : await readResults(asked.from)
  if (asked.publish) await writeResults(path.join(RESULTS, `${nameOf('published', asked)}.json`), results)
  process.stdout.write(renderTable(results))
  if (asked.mode === 'curves') await draw(results)
  if (asked.check) await check(results)
}

async function run(asked: Asked): Promise<Results> {
  if (!canMeasure()) throw new Error('The bench needs Linux: it reads from /proc what a server has used.')
  const { contestants, absent } = await findContestants(asked.peers)
  if (absent.length > 0) tell(`Not on this machine: ${absent.join(', ')}.`)
  const all = asked.mode === 'table' ? workloads : curves
  const chosen = all.filter(({ name }) => isNamed(name, asked.only === '' ? [] : [asked.only]))
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  const file = path.join(RESULTS, `${nameOf(time, asked)}.json`)
  return runAll({ workloads: chosen, contestants, absent, rounds: asked.rounds }, tell, (results) =>
    writeResults(file, results),
  )
}

async function draw(results: Results): Promise<void> {
  // The table does without the library that draws.
  const { drawCurves } = await import('./charts.ts')
  await drawCurves(results, path.join(PROJECT, 'docs'))
}

async function check(results: Results): Promise<void> {
  const verdicts = judge(results, await readTargets(path.join(PROJECT, 'bench/targets.json')))
  process.stdout.write(`\n${verdicts.map(({ sentence }) => `${sentence}\n`).join('')}`)
  if (verdicts.some(({ outcome }) => outcome !== 'met')) process.exitCode = 1
}

function nameOf(name: string, { mode }: Asked): string {
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
