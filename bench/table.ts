import type { Metric, Results } from './results.ts'
import { type Row, summarize } from './summary.ts'

interface Column {
  readonly title: string
  cell(row: Row, ours: Row | undefined): string
}

const workload: Column = { title: 'workload', cell: (row) => row.workload.name }
const server: Column = { title: 'server', cell: (row) => row.server }
const time: Column = {
  title: 'time',
  cell: (row) => {
    const value = row.median('time')
    return value === undefined ? 'failed' : `${significant(value)} ${row.workload.unit}`
  },
}
const rate: Column = {
  title: 'MB/s',
  cell: (row) => row.median('megabytesPerSecond')?.toFixed(0) ?? '',
}
const cpu: Column = { title: 'CPU s', cell: (row) => row.median('cpu')?.toFixed(2) ?? '' }
const clientCpu: Column = { title: 'client CPU s', cell: (row) => row.median('clientCpu')?.toFixed(2) ?? '' }
const peak: Column = { title: 'peak MiB', cell: (row) => row.median('peak')?.toFixed(0) ?? '' }
const timeRatio: Column = { title: 'time ÷ Landfall', cell: (row, ours) => ratio('time', row, ours) }
const cpuRatio: Column = { title: 'CPU ÷ Landfall', cell: (row, ours) => ratio('cpu', row, ours) }
const besides: Column = {
  title: 'besides',
  cell: (row) => {
    const note = (metric: Metric, text: (value: number) => string): string | undefined => {
      const value = row.median(metric)
      return value === undefined ? undefined : text(value)
    }
    const notes = [
      note('requestsPerSecond', (value) => `${value.toFixed(0)} requests/s`),
      note('completeMs', (value) => `complete in ${significant(value)} ms`),
      note('stopSeconds', (value) => `SIGTERM ends it in ${significant(value)} s`),
      note('memoryPerUpload', (value) => `${significant(value)} KiB for each open upload`),
      row.failures === 0 ? undefined : `${row.failures} of ${row.failures + row.runs} runs failed`,
    ]
    return notes.filter((text) => text !== undefined).join('; ')
  },
}

/** All medians as a Markdown table. Ratios are relative to Landfall. */
export function renderTable(results: Results): string {
  return render(results, [workload, server, time, rate, cpu, clientCpu, peak, timeRatio, cpuRatio, besides])
}

/** A Markdown table of medians with a column per server. Other figures of a workload follow its time. */
export function renderOverview(results: Results): string {
  const rows = summarize(results)
  const servers = results.contestants.map(({ name }) => name).filter((name) => !name.startsWith('Landfall, '))
  const lines = results.workloads.flatMap((info) =>
    figures
      .filter(({ of }) => of === undefined || info.name.startsWith(of))
      .map(({ title, cell }) => [
        title ?? info.name,
        ...servers.map((name) => {
          const row = rows.find((other) => other.workload.name === info.name && other.server === name)
          return row === undefined ? '–' : cell(row)
        }),
      ]),
  )
  return markdown(['', ...servers], lines)
}

/** A line of the overview. */
interface Figure {
  /** The title; by default, the workload's name. */
  readonly title?: string
  /** The prefix of its workloads' names; by default, all workloads. */
  readonly of?: string
  cell(row: Row): string
}

const figures: readonly Figure[] = [
  { cell: (row) => time.cell(row, undefined) },
  { of: '1 GiB in one PATCH', title: '– its CPU time', cell: (row) => figureOf(row, 'cpu', 's') },
  { of: '1 GiB in one PATCH', title: '– its peak memory', cell: (row) => figureOf(row, 'peak', 'MiB') },
  { of: '256 ×', title: '– its peak memory', cell: (row) => figureOf(row, 'peak', 'MiB') },
  { of: '20,000 unfinished', title: '– its peak memory', cell: (row) => figureOf(row, 'peak', 'MiB') },
  { of: '500 slow', title: '– memory for each of them', cell: (row) => figureOf(row, 'memoryPerUpload', 'KiB') },
]

function figureOf(row: Row, metric: Metric, unit: string): string {
  const value = row.median(metric)
  return value === undefined ? 'failed' : `${significant(value)} ${unit}`
}

function render(results: Results, columns: readonly Column[]): string {
  const rows = summarize(results)
  const lines = rows.map((row, at) => {
    const ours = rows.find((other) => other.workload === row.workload && other.server === 'Landfall')
    const repeats = rows[at - 1]?.workload === row.workload
    return columns.map((column) => (repeats && column === workload ? '' : column.cell(row, ours)))
  })
  return markdown(
    columns.map(({ title }) => title),
    lines,
  )
}

/** A Markdown table. */
export function markdown(titles: readonly string[], lines: readonly (readonly string[])[]): string {
  return [titles, titles.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function ratio(metric: Metric, row: Row, ours: Row | undefined): string {
  const value = row.median(metric)
  const base = ours?.median(metric)
  return value === undefined || base === undefined || base === 0 ? '' : (value / base).toFixed(2)
}

/** Formats with two or three significant digits. */
export function significant(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value.toPrecision(value >= 1 ? 3 : 2)
}
