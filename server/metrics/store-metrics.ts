import type { Registry } from 'prom-client'
import type { Ledger } from '../core/ledger.ts'
import type { Space } from '../core/store.ts'
import { gauge } from './tally.ts'

/** How long a count that reads a directory is valid, in milliseconds. */
const VALID = 30_000

/** What is measured of the storage. */
export interface MeasuredStore {
  readonly ledger: Ledger
  readonly space: () => Promise<Space>
  /** Files in quarantine, if it is a directory of this host. */
  readonly quarantined: (() => Promise<number>) | undefined
  /** Bytes that S3 does not have yet, if uploads are in a bucket. */
  readonly memory: (() => number) | undefined
}

/** Measures what is stored, and what is free: without a walk over the uploads. */
export function measureStore(registry: Registry, { ledger, space, quarantined, memory }: MeasuredStore): void {
  const free = once(space, 1_000)
  gauge(
    registry,
    { name: 'landfall_uploads_unfinished', help: 'Uploads without a finished file.' },
    () => ledger.totals().used.unfinished,
  )
  gauge(
    registry,
    { name: 'landfall_uploads_unfinished_bytes', help: 'Bytes that unfinished uploads occupy, or have reserved.' },
    () => ledger.unfinishedBytes,
  )
  gauge(registry, { name: 'landfall_uploads_stored', help: 'Uploads, finished or not.' }, () => {
    return ledger.totals().used.files
  })
  gauge(
    registry,
    { name: 'landfall_uploads_stored_bytes', help: 'Bytes that all uploads occupy, or have reserved.' },
    () => ledger.totals().used.bytes,
  )
  if (memory === undefined) {
    gauge(registry, { name: 'landfall_disk_free_bytes', help: 'Free space of the disk of DATA_DIR.' }, async () => {
      return (await free())?.freeBytes
    })
    gauge(registry, { name: 'landfall_disk_size_bytes', help: 'Size of the disk of DATA_DIR.' }, async () => {
      return (await free())?.bytes
    })
  } else {
    gauge(
      registry,
      { name: 'landfall_s3_memory_bytes', help: 'Memory of S3_MEMORY in use: bytes that S3 does not have yet.' },
      memory,
    )
  }
  if (quarantined !== undefined) {
    gauge(
      registry,
      { name: 'landfall_quarantine_files', help: 'Files in quarantine: rejected ones, and orphans.' },
      once(quarantined, VALID),
    )
  }
}

/** Events that webhooks have not delivered. */
export interface MeasuredWebhooks {
  /** Events that wait, and since when the oldest does: milliseconds since 1970. */
  readonly pending: () => { readonly count: number; readonly oldest: number | undefined }
  readonly dead: () => Promise<number>
}

/** Measures webhooks. */
export function measureWebhooks(registry: Registry, { pending, dead }: MeasuredWebhooks): void {
  gauge(
    registry,
    { name: 'landfall_webhook_pending', help: 'Deliveries that wait; of each endpoint, at most 10,000 are counted.' },
    () => pending().count,
  )
  gauge(
    registry,
    { name: 'landfall_webhook_oldest_seconds', help: 'Age of the oldest event that waits; 0 if none.' },
    () => {
      const { oldest } = pending()
      return oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000
    },
  )
  gauge(
    registry,
    { name: 'landfall_webhook_dead', help: 'Deliveries that were given up; landfall webhooks ls lists them.' },
    once(dead, VALID),
  )
}

/** A measurement that is valid for some milliseconds; `undefined` if it fails. */
function once<T>(measure: () => Promise<T>, valid: number): () => Promise<T | undefined> {
  let measuredAt = Number.NEGATIVE_INFINITY
  let latest: Promise<T | undefined> = Promise.resolve(undefined)
  return () => {
    if (performance.now() - measuredAt < valid) return latest
    measuredAt = performance.now()
    latest = measure().catch(() => undefined)
    return latest
  }
}
