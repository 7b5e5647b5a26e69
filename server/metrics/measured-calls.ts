import type { Channel } from 'node:diagnostics_channel'
import { Histogram, type Registry } from 'prom-client'
import { FINISHES, HOOK_CALLS, type Measurement, S3_CALLS, S3_TERMS, SYNCS } from '../core/measured.ts'
import { counter, simpleCounter, Tally } from './tally.ts'

/** Seconds: of disks. */
const DISK = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Seconds: of other services. */
const REMOTE = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60]

/** Measures calls to the storage and to hooks. @returns a function that ends it. */
export function measureCalls(registry: Registry, store: 'disk' | 's3'): () => void {
  const ends: (() => void)[] = []
  const listen = (calls: Channel, listener: (measurement: Measurement) => void): void => {
    const onMessage = (message: unknown): void => listener(message as Measurement)
    calls.subscribe(onMessage)
    ends.push(() => calls.unsubscribe(onMessage))
  }
  const histogram = (name: string, help: string, buckets: number[], label?: string): Outcomes =>
    new Outcomes(
      new Histogram({
        name,
        help,
        labelNames: label === undefined ? ['outcome'] : [label, 'outcome'],
        buckets,
        registers: [registry],
      }),
      label,
    )
  const finishes = histogram(
    'landfall_finish_duration_seconds',
    'Attempts to give a complete upload its final name: sync, events, rename.',
    DISK,
  )
  listen(FINISHES, (measurement) => finishes.observe(measurement))
  const hooks = histogram('landfall_hook_duration_seconds', 'Calls of hooks.', REMOTE, 'hook')
  const invocations = new Tally()
  const failures = new Tally()
  listen(HOOK_CALLS, (measurement) => {
    const { operation, isOk } = measurement
    hooks.observe(measurement)
    invocations.add({ hooktype: operation })
    failures.add({ hooktype: operation }, isOk ? 0 : 1)
  })
  const labelNames = ['hooktype']
  counter(
    registry,
    { name: 'tusd_hook_invocations_total', help: 'Calls of hooks, as tusd names them.', labelNames },
    () => invocations.counts,
  )
  counter(
    registry,
    { name: 'tusd_hook_errors_total', help: 'Failed calls of hooks, as tusd names them.', labelNames },
    () => failures.counts,
  )
  if (store === 'disk') {
    const syncs = histogram('landfall_sync_duration_seconds', 'Syncs of files and directories.', DISK)
    listen(SYNCS, (measurement) => syncs.observe(measurement))
  } else {
    const calls = histogram(
      'landfall_s3_call_duration_seconds',
      'Calls to S3, each try by itself.',
      REMOTE,
      'operation',
    )
    let terms = 0
    listen(S3_CALLS, (measurement) => calls.observe(measurement))
    listen(S3_TERMS, () => {
      terms += 1
    })
    simpleCounter(
      registry,
      { name: 'landfall_s3_terms_total', help: 'Uploads that this node has taken over, or opened again.' },
      () => terms,
    )
  }
  return () => {
    for (const end of ends) end()
  }
}

/** Durations by outcome. Both outcomes of an operation are reported from the beginning: rates need a zero before. */
class Outcomes {
  readonly #histogram: Histogram
  readonly #label: string | undefined
  readonly #known = new Set<string>()

  /** @param label has the operation. Without it, there is only one. */
  constructor(histogram: Histogram, label: string | undefined) {
    this.#histogram = histogram
    this.#label = label
    if (label === undefined) this.#know('')
  }

  observe({ operation, isOk, duration }: Measurement): void {
    if (this.#label !== undefined && !this.#known.has(operation)) this.#know(operation)
    this.#histogram.observe(this.#labels(operation, isOk), duration)
  }

  #know(operation: string): void {
    this.#known.add(operation)
    for (const isOk of [true, false]) this.#histogram.zero(this.#labels(operation, isOk))
  }

  #labels(operation: string, isOk: boolean): Record<string, string> {
    return { ...(this.#label !== undefined && { [this.#label]: operation }), outcome: isOk ? 'ok' : 'error' }
  }
}
