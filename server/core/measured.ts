import { type Channel, channel } from 'node:diagnostics_channel'

/** One call that was measured. */
export interface Measurement {
  readonly operation: string
  readonly isOk: boolean
  /** Seconds. */
  readonly duration: number
}

/** Calls to a directory or a disk that make bytes durable. */
export const SYNCS = channel('landfall:sync')
/** Attempts to give the file of a complete upload its final name. */
export const FINISHES = channel('landfall:finish')
/** Calls of hooks, by their names. */
export const HOOK_CALLS = channel('landfall:hook')
/** Calls to S3, each try by itself. */
export const S3_CALLS = channel('landfall:s3')
/** Terms of uploads that this process has begun after another term. */
export const S3_TERMS = channel('landfall:s3-term')

/**
 * Runs `work`, and publishes how long it took, if anything subscribes. All services of a process share the channels.
 *
 * @throws what `work` throws.
 */
export function measured<T>(calls: Channel, operation: string, work: () => Promise<T>): Promise<T> {
  return calls.hasSubscribers ? measuredNow(calls, operation, work) : work()
}

async function measuredNow<T>(calls: Channel, operation: string, work: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  let isOk = false
  try {
    const result = await work()
    isOk = true
    return result
  } finally {
    const measurement: Measurement = { operation, isOk, duration: (performance.now() - begun) / 1000 }
    calls.publish(measurement)
  }
}
