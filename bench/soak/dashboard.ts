import { LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

/** The metrics at one moment: the sums of all series of a name, and the buckets of the durations of HEAD. */
export interface MetricSample {
  readonly seconds: number
  readonly sums: ReadonlyMap<string, number>
  /** Cumulative, by the upper bound in seconds. */
  readonly heads: ReadonlyMap<number, number>
}

interface Line {
  readonly name: string
  readonly of: (now: MetricSample, before: MetricSample) => number | undefined
}

interface Panel {
  readonly title: string
  readonly lines: readonly Line[]
}

const MIB = 1024 * 1024

/** The first panels of deploy/grafana/landfall.json. */
const PANELS: readonly Panel[] = [
  {
    title: 'Bytes, MiB/s',
    lines: [
      { name: 'received', of: rate('landfall_received_bytes_total', MIB) },
      { name: 'sent', of: rate('landfall_sent_bytes_total', MIB) },
    ],
  },
  {
    title: 'Uploads per second',
    lines: [
      { name: 'created', of: rate('landfall_uploads_created_total') },
      { name: 'finished', of: rate('landfall_uploads_finished_total') },
      { name: 'deleted', of: rate('landfall_uploads_deleted_total') },
      { name: 'expired', of: rate('landfall_uploads_expired_total') },
    ],
  },
  {
    title: 'Receiving and unfinished uploads',
    lines: [
      { name: 'receiving', of: latest('landfall_uploads_receiving') },
      { name: 'unfinished', of: latest('landfall_uploads_unfinished') },
    ],
  },
  {
    title: 'HEAD and event loop, ms',
    lines: [
      { name: 'HEAD p50', of: headQuantile(0.5) },
      { name: 'HEAD p99', of: headQuantile(0.99) },
      { name: 'event loop p99', of: latest('nodejs_eventloop_lag_p99_seconds', 1000) },
    ],
  },
]

/** Distinguishable with color blindness (after Okabe and Ito). */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#d55e00']

/** Reads the metrics at an admin URL. */
export async function sampleMetrics(base: string, since: number): Promise<MetricSample> {
  const text = await (await fetch(`${base}/metrics`)).text()
  const sums = new Map<string, number>()
  const heads = new Map<number, number>()
  for (const [, name = '', labels = '', value = ''] of text.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/gm)) {
    sums.set(name, (sums.get(name) ?? 0) + Number(value))
    if (name !== 'landfall_request_duration_seconds_bucket' || !labels.includes('operation="head"')) continue
    const bound = Number((/le="([^"]+)"/.exec(labels)?.[1] ?? '').replace('+Inf', 'Infinity'))
    heads.set(bound, (heads.get(bound) ?? 0) + Number(value))
  }
  return { seconds: (performance.now() - since) / 1000, sums, heads }
}

/** Draws the first panels of the dashboard from samples of metrics as an SVG. */
export function drawDashboard(samples: readonly MetricSample[]): string {
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: 960, height: 560 })
  const text = { color: '#333' }
  const minutes = Math.max(...samples.map(({ seconds }) => seconds)) > 180
  const unit = minutes ? 60 : 1
  const left = (panel: number): number => 50 + (panel % 2) * 480
  const top = (panel: number): number => 10 + Math.floor(panel / 2) * 280
  const names = PANELS.map(({ lines }) => lines.map(({ name }) => name))
  drawing.setOption({
    animation: false,
    // Also readable on a dark page.
    backgroundColor: '#fff',
    title: PANELS.map(({ title }, at) => ({
      text: title,
      left: left(at),
      top: top(at),
      textStyle: { fontSize: 14, color: '#222' },
    })),
    legend: names.map((data, at) => ({ data, left: left(at), top: top(at) + 24, textStyle: text, itemGap: 14 })),
    grid: PANELS.map((_, at) => ({ left: left(at), top: top(at) + 60, width: 410, height: 165 })),
    xAxis: PANELS.map((_, gridIndex) => ({
      gridIndex,
      type: 'value',
      name: minutes ? 'minutes' : 'seconds',
      nameLocation: 'middle',
      nameGap: 26,
      max: 'dataMax',
      axisLabel: { ...text, showMaxLabel: false },
      nameTextStyle: text,
      splitLine: { show: false },
    })),
    yAxis: PANELS.map((_, gridIndex) => ({
      gridIndex,
      type: 'value',
      min: 0,
      axisLabel: text,
      splitLine: { lineStyle: { color: '#e5e5e5' } },
    })),
    series: PANELS.flatMap(({ lines }, at) =>
      lines.map(({ name, of }, place) => ({
        type: 'line',
        name,
        xAxisIndex: at,
        yAxisIndex: at,
        showSymbol: false,
        color: COLOURS[place],
        data: smoothed(samples).flatMap(([now, before]) => {
          const value = of(now, before)
          return value === undefined ? [] : [[now.seconds / unit, value]]
        }),
      })),
    ),
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return `${svg}\n`
}

/** Each sample with the one of some seconds before, as `rate` of Prometheus compares them. */
function smoothed(samples: readonly MetricSample[]): readonly (readonly [MetricSample, MetricSample])[] {
  return samples.flatMap((now, at) => {
    const before = samples[Math.max(0, at - 5)]
    return before === undefined || before === now ? [] : [[now, before] as const]
  })
}

function rate(name: string, unit = 1): Line['of'] {
  return (now, before) =>
    ((now.sums.get(name) ?? 0) - (before.sums.get(name) ?? 0)) / unit / (now.seconds - before.seconds)
}

function latest(name: string, factor = 1): Line['of'] {
  return (now) => (now.sums.get(name) ?? 0) * factor
}

/** In milliseconds, as `histogram_quantile` computes it. */
function headQuantile(quantile: number): Line['of'] {
  return (now, before) => {
    const bounds = [...now.heads.keys()].sort((a, b) => a - b)
    const counts = bounds.map((bound) => (now.heads.get(bound) ?? 0) - (before.heads.get(bound) ?? 0))
    const wanted = (counts.at(-1) ?? 0) * quantile
    if (wanted === 0) return undefined
    const at = counts.findIndex((count) => count >= wanted)
    const upper = bounds[at] ?? 0
    if (!Number.isFinite(upper)) return (bounds[at - 1] ?? 0) * 1000
    const lower = bounds[at - 1] ?? 0
    const less = counts[at - 1] ?? 0
    return (lower + ((upper - lower) * (wanted - less)) / Math.max(1e-9, (counts[at] ?? 0) - less)) * 1000
  }
}
