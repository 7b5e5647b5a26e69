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
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers: [registry] })
  const finishes = histogram(
    'landfall_finish_duration_seconds',
    'Attempts to give a complete upload its final name: sync, events, rename.',
    ['outcome'],
    DISK,
  )
  listen(FINISHES, ({ isOk, duration }) => finishes.observe({ outcome: outcomeOf(isOk) }, duration))
  const hooks = histogram('landfall_hook_duration_seconds', 'Calls of hooks.', ['hook', 'outcome'], REMOTE)
  const invocations = new Tally()
  const failures = new Tally()
  listen(HOOK_CALLS, ({ operation, isOk, duration }) => {
    hooks.observe({ hook: operation, outcome: outcomeOf(isOk) }, duration)
    invocations.add({ hooktype: operation })
    if (!isOk) failures.add({ hooktype: operation })
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
    const syncs = histogram('landfall_sync_duration_seconds', 'Syncs of files and directories.', ['outcome'], DISK)
    listen(SYNCS, ({ isOk, duration }) => syncs.observe({ outcome: outcomeOf(isOk) }, duration))
  } else {
    const calls = histogram(
      'landfall_s3_call_duration_seconds',
      'Calls to S3, each try by itself.',
      ['operation', 'outcome'],
      REMOTE,
    )
    let terms = 0
    listen(S3_CALLS, ({ operation, isOk, duration }) => {
      calls.observe({ operation, outcome: outcomeOf(isOk) }, duration)
    })
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

function outcomeOf(isOk: boolean): string {
  return isOk ? 'ok' : 'error'
}
