import type { Results } from './results.ts'
import { summarize } from './summary.ts'
import { markdown, significant } from './table.ts'

/** The workloads of operators, by the beginning of their names. */
const WORK = [
  '1 GiB in one PATCH',
  '512 MiB in',
  '8 × 64',
  '2,000 × 64',
  '1 GiB by WebUploader, 20',
  '1 GiB by WebUploader, 5',
]

const BYTES_PER_GIB = 2 ** 30

/** What Landfall does with one upload or some at a time, as a Markdown table of medians, by the setting SYNC. */
export function renderSizing(results: Results): string {
  const rows = summarize(results)
  const lines = WORK.flatMap((name) =>
    ['finish', 'always'].map((sync) => {
      const row = rows.find(
        (other) => other.workload.name.startsWith(name) && other.server === `Landfall, SYNC=${sync}`,
      )
      if (row === undefined) throw new Error(`The results have no run of "${name}" with SYNC=${sync}.`)
      const rate = row.median('megabytesPerSecond') ?? Number.NaN
      const gibibytes = (rate * 1e6 * (row.median('seconds') ?? Number.NaN)) / BYTES_PER_GIB
      const perGib = (row.median('cpu') ?? Number.NaN) / gibibytes
      const peak = row.median('peak') ?? Number.NaN
      return [row.workload.name, sync, rate.toFixed(0), significant(perGib), peak.toFixed(0)]
    }),
  )
  return markdown(['work', '`SYNC`', 'MB/s', 'CPU s per GiB', 'peak MiB'], lines)
}
