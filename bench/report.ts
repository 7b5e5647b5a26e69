import path from 'node:path'
import { PROJECT } from './contestants.ts'
import type { Results } from './results.ts'
import { renderTable } from './table.ts'
import { judge, readTargets } from './targets.ts'

/** A run of the bench as Markdown: the host, the versions, every median, and the targets. */
export async function renderReport(results: Results): Promise<string> {
  const { machine, rounds, startedAt, contestants } = results
  const verdicts = judge(results, await readTargets(path.join(PROJECT, 'bench/targets.json')))
  const { cores, cpu, memoryGiB, system, node } = machine
  const host = `${cores} cores (${cpu}), ${memoryGiB} GiB, ${system}, Node ${node}`
  return [
    `${startedAt.slice(0, 10)}, medians of ${rounds} rounds; ${host}.\n`,
    '| server | version | settings |\n| --- | --- | --- |',
    ...contestants.map(({ name, version, settings }) => `| ${name} | ${version} | ${settings} |`),
    '',
    renderTable(results),
    '## Targets\n',
    '```text',
    ...verdicts.map(({ sentence }) => sentence),
    '```\n',
  ].join('\n')
}
