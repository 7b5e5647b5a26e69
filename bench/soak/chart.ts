import { LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import type { Sample } from './samples.ts'

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

/** Distinguishable with color blindness (after Okabe and Ito). */
const LINES = [
  { column: 'resident', name: 'resident, MiB', colour: '#0072b2', axis: 0 },
  { column: 'heap', name: 'heap, MiB', colour: '#e69f00', axis: 0 },
  { column: 'buffers', name: 'buffers, MiB', colour: '#009e73', axis: 0 },
  { column: 'descriptors', name: 'descriptors', colour: '#6b6b6b', axis: 1 },
  { column: 'files', name: 'files', colour: '#d55e00', axis: 1 },
] as const

/** Draws samples over time as an SVG: memory on the left, counts on the right. */
export function drawSamples(samples: readonly Sample[]): string {
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: 860, height: 460 })
  const text = { color: '#333' }
  const axis = { type: 'value', nameTextStyle: text, axisLabel: text, min: 0 } as const
  drawing.setOption({
    animation: false,
    // Also readable on a dark page.
    backgroundColor: '#fff',
    color: LINES.map(({ colour }) => colour),
    title: { text: 'Landfall under mixed load', left: 'center', top: 8, textStyle: { fontSize: 15, color: '#222' } },
    legend: { top: 36, itemGap: 18, textStyle: { color: '#222' } },
    grid: { left: 60, right: 60, top: 84, bottom: 54 },
    xAxis: { ...axis, name: 'minutes', nameLocation: 'middle', nameGap: 30, max: 'dataMax' },
    yAxis: [
      { ...axis, name: 'MiB', splitLine: { lineStyle: { color: '#e5e5e5' } } },
      { ...axis, name: 'count', splitLine: { show: false } },
    ],
    series: LINES.map(({ column, name, axis: yAxisIndex }) => ({
      type: 'line',
      name,
      yAxisIndex,
      showSymbol: false,
      data: samples.map((one) => [one.seconds / 60, one[column]]),
    })),
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return `${svg}\n`
}
