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
      note('memoryPerUpload', (value) => `${significant(value)} KiB for each open upload`),
      row.failures === 0 ? undefined : `${row.failures} of ${row.failures + row.runs} runs failed`,
    ]
    return notes.filter((text) => text !== undefined).join('; ')
  },
}

/** Everything that was measured, as one Markdown table of medians. Landfall is 1.00 in the ratios. */
export function renderTable(results: Results): string {
  return render(results, [workload, server, time, rate, cpu, clientCpu, peak, timeRatio, cpuRatio, besides])
}

/** What a reader wants to know first, as a Markdown table of medians. */
export function renderShortTable(results: Results): string {
  return render(results, [workload, server, time, cpu, peak, { ...timeRatio, title: '× Landfall' }])
}

function render(results: Results, columns: readonly Column[]): string {
  const rows = summarize(results)
  const lines = rows.map((row, at) => {
    const ours = rows.find((other) => other.workload === row.workload && other.server === 'Landfall')
    const repeats = rows[at - 1]?.workload === row.workload
    return columns.map((column) => (repeats && column === workload ? '' : column.cell(row, ours)))
  })
  return [columns.map(({ title }) => title), columns.map(() => '---'), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('')
}

function ratio(metric: Metric, row: Row, ours: Row | undefined): string {
  const value = row.median(metric)
  const base = ours?.median(metric)
  return value === undefined || base === undefined || base === 0 ? '' : (value / base).toFixed(2)
}

/** Two or three digits that count. */
function significant(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value.toPrecision(value >= 1 ? 3 : 2)
}
