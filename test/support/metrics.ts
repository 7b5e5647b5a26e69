import { freePort } from './free-port.ts'
import { startService, type TestService } from './service.ts'

/** A service with its metrics. */
export interface MeasuredService extends TestService {
  /** What Prometheus would read now. */
  series(): Promise<readonly Series[]>
  /** The sum of all series of a name that have these labels. */
  value(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
}

/** One line of the text format. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Starts a service with metrics. */
export async function startMeasured(settings: Readonly<Record<string, string>> = {}): Promise<MeasuredService> {
  const port = await freePort()
  const service = await startService({ ...settings, ADMIN_PORT: String(port) })
  const series = (): Promise<readonly Series[]> => seriesAt(`http://127.0.0.1:${port}`)
  return {
    ...service,
    series,
    value: async (name, labels = {}) => valueIn(await series(), name, labels),
  }
}

/** Reads the metrics at an admin URL. */
export async function seriesAt(base: string): Promise<readonly Series[]> {
  const response = await fetch(`${base}/metrics`)
  if (response.status !== 200) throw new Error(`GET /metrics: ${response.status}`)
  return parseSeries(await response.text())
}

/** Parses the text format of Prometheus. */
export function parseSeries(text: string): readonly Series[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return lines.map((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === '') throw new Error(`Not a line of the text format: ${line}`)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [key, text])
    return { name, labels: Object.fromEntries(pairs), value: Number(value) }
  })
}

/** The sum of all series of a name that have these labels. */
export function valueIn(
  series: readonly Series[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return series
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}
