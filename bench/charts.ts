import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { LineChart, type LineSeriesOption } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import type { Metric, Results } from './results.ts'
import { MIB, nameOfSize } from './sizes.ts'
import { summarize } from './summary.ts'

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

interface Chart {
  readonly file: string
  readonly title: string
  readonly curve: 'size' | 'concurrency'
  readonly metric: Metric
  /** The vertical axis. */
  readonly name: string
}

const charts: readonly Chart[] = [
  {
    file: 'bench-size-time.svg',
    title: 'Time of one upload',
    curve: 'size',
    metric: 'seconds',
    name: 'seconds',
  },
  {
    file: 'bench-size-memory.svg',
    title: 'Peak memory of the server during one upload',
    curve: 'size',
    metric: 'peak',
    name: 'MiB',
  },
  {
    file: 'bench-concurrency-time.svg',
    title: 'Time of uploads of 4 MiB at once',
    curve: 'concurrency',
    metric: 'seconds',
    name: 'seconds',
  },
  {
    file: 'bench-concurrency-memory.svg',
    title: 'Peak memory of the server during uploads of 4 MiB at once',
    curve: 'concurrency',
    metric: 'peak',
    name: 'MiB',
  },
]

const horizontal = {
  size: { name: 'size of the file', base: 4, label: (at: number) => nameOfSize(at * MIB) },
  concurrency: { name: 'uploads at once', base: 2, label: String },
}

/** Distinguishable with color blindness (after Okabe and Ito). */
const COLOURS = ['#0072b2', '#e69f00', '#6b6b6b', '#009e73', '#d55e00', '#cc79a7']
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'emptyCircle', 'emptyRect']

/** Draws the measured curves into SVG files in a directory; other files remain. */
export async function drawCurves(results: Results, folder: string): Promise<void> {
  const measured = charts.filter(({ curve }) => results.workloads.some(({ point }) => point?.curve === curve))
  for (const chart of measured) await writeFile(path.join(folder, chart.file), render(results, chart))
}

function render(results: Results, chart: Chart): string {
  const { name, base, label } = horizontal[chart.curve]
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: 720, height: 420 })
  const axis = { type: 'log', nameLocation: 'middle', nameTextStyle: { color: '#333' } } as const
  const lines = {
    axisLine: { show: true, lineStyle: { color: '#888' } },
    splitLine: { lineStyle: { color: '#e5e5e5' } },
  }
  drawing.setOption({
    animation: false,
    // Also readable on a dark page.
    backgroundColor: '#fff',
    color: COLOURS,
    title: { text: chart.title, left: 'center', top: 8, textStyle: { fontSize: 15, color: '#222' } },
    legend: { top: 36, itemGap: 18, textStyle: { color: '#222' } },
    grid: { left: 70, right: 30, top: 74, bottom: 54 },
    xAxis: {
      ...axis,
      ...lines,
      logBase: base,
      max: 'dataMax',
      name,
      nameGap: 32,
      axisLabel: { formatter: label, color: '#333', hideOverlap: true },
    },
    yAxis: { ...axis, ...lines, logBase: 10, name: chart.name, nameGap: 48, axisLabel: { color: '#333' } },
    series: seriesOf(results, chart),
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return `${svg}\n`
}

/** A line per server, up to the point where the server failed. */
function seriesOf(results: Results, { curve, metric }: Chart): LineSeriesOption[] {
  const rows = summarize(results).filter(({ workload }) => workload.point?.curve === curve)
  const servers = results.contestants.map(({ name }) => name).filter((name) => rows.some((row) => row.server === name))
  return servers.map((name, index) => ({
    type: 'line',
    name,
    data: rows
      .filter((row) => row.server === name && row.median(metric) !== undefined)
      .map((row) => [row.workload.point?.at ?? 0, row.median(metric) ?? 0]),
    symbol: SYMBOLS[index % SYMBOLS.length] ?? 'circle',
    symbolSize: 8,
    lineStyle: { width: name === 'Landfall' ? 3.5 : 1.8 },
  }))
}
