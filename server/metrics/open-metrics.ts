import os from 'node:os'
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Callers } from '../core/callers.ts'
import type { Events } from '../core/events.ts'
import type { RequestFeed } from '../http/request-feed.ts'
import type { Trace } from '../http/trace.ts'
import type { Settings } from '../settings.ts'
import { versionOf } from '../version.ts'
import { measureCalls } from './measured-calls.ts'
import { measureRequests } from './request-metrics.ts'
import { type MeasuredStore, type MeasuredWebhooks, measureStore, measureWebhooks } from './store-metrics.ts'
import { gauge } from './tally.ts'
import { measureUploads } from './upload-metrics.ts'

/** What is measured of a service. */
export interface Measured extends MeasuredStore {
  readonly settings: Pick<Settings, 'NODE_NAME' | 'STORE'>
  readonly events: Events
  readonly feed: RequestFeed
  readonly callers: Callers<Trace>
  /** Open connections; `undefined` while the service has no server of its own. */
  readonly connections: () => number | undefined
  readonly webhooks: MeasuredWebhooks | undefined
}

/** The metrics of a service. */
export interface Metrics {
  readonly contentType: string
  /** In the text format of Prometheus. */
  text(): Promise<string>
  /** Ends the measurement. */
  close(): void
}

/**
 * Measures a service.
 *
 * @param given receives the metrics of Landfall. Without it, they have a registry of their own, with those of Node, and
 * a label for the node.
 * @throws Error if `given` has metrics of these names.
 */
export function openMetrics(measured: Measured, given?: Registry): Metrics {
  const registry = given ?? ownRegistry(measured.settings)
  const { version, revision } = versionOf()
  new Gauge({
    name: 'landfall_build_info',
    help: 'The version that runs.',
    labelNames: ['version', 'revision'],
    registers: [registry],
  }).set({ version, revision }, 1)
  measureRequests(registry, measured.feed)
  measureUploads(registry, measured.events, measured.feed, measured.callers)
  measureStore(registry, measured)
  if (measured.webhooks !== undefined) measureWebhooks(registry, measured.webhooks)
  const { connections } = measured
  for (const prefix of ['landfall', 'tusd']) {
    gauge(registry, { name: `${prefix}_connections_open`, help: 'Open connections of clients.' }, connections)
  }
  const close = measureCalls(registry, measured.settings.STORE)
  return { contentType: registry.contentType, text: () => registry.metrics(), close }
}

function ownRegistry({ NODE_NAME }: Pick<Settings, 'NODE_NAME'>): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ node: NODE_NAME === '' ? os.hostname() : NODE_NAME })
  collectDefaultMetrics({ register: registry })
  return registry
}
