import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { Store } from './core/store.ts'
import { Layout } from './disk/layout.ts'
import { takeOwnership } from './disk/owner.ts'
import { cellSizes } from './s3/cells.ts'
import { systemClock } from './s3/clock.ts'
import type { Environment } from './s3/environment.ts'
import { keyByTemplate } from './s3/key-template.ts'
import { MemoryBudget } from './s3/memory-budget.ts'
import { RetryingPort } from './s3/retrying-port.ts'
import { S3Store } from './s3/s3-store.ts'
import type { S3Location } from './s3/sdk-client.ts'
import { SdkPort } from './s3/sdk-port.ts'
import type { Settings } from './settings.ts'

/** The settings of the bucket. */
export type S3Settings = Pick<
  Settings,
  | 'DATA_DIR'
  | 'S3_BUCKET'
  | 'S3_ENDPOINT'
  | 'S3_REGION'
  | 'S3_ACCESS_KEY_ID'
  | 'S3_SECRET_ACCESS_KEY'
  | 'S3_PREFIX'
  | 'S3_KEY'
  | 'S3_PART_SIZE'
  | 'S3_PARALLEL'
  | 'S3_MEMORY'
  | 'S3_FLUSH_AFTER'
  | 'QUARANTINE_SIZE'
>

/**
 * Opens the uploads in a bucket. The data directory has only notes that may be lost; one process at a time uses it.
 *
 * @throws Error with a sentence for the operator when the directory or the bucket cannot be used.
 */
export async function openS3Store(settings: S3Settings): Promise<Store> {
  const layout = new Layout(settings.DATA_DIR)
  for (const folder of [layout.senders, layout.visitors, layout.outbox]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  const owner = await takeOwnership(layout)
  return new S3Store(s3Environment(settings), () => owner.release())
}

/** What uploads in the bucket of these settings share. Its port must be closed. */
export function s3Environment(settings: S3Settings): Environment {
  return {
    port: new RetryingPort(new SdkPort(locationOf(settings))),
    bucket: settings.S3_BUCKET,
    prefix: settings.S3_PREFIX,
    keyOf: (record) => keyByTemplate(settings.S3_KEY, record),
    node: randomUUID(),
    cells: cellSizes(settings.S3_PART_SIZE),
    parallel: settings.S3_PARALLEL,
    flushAfter: settings.S3_FLUSH_AFTER * 1000,
    budget: new MemoryBudget(settings.S3_MEMORY),
    clock: systemClock,
    keepsRejected: settings.QUARANTINE_SIZE > 0,
  }
}

/** Where the bucket is. */
export function locationOf({
  S3_BUCKET,
  S3_ENDPOINT,
  S3_REGION,
  S3_ACCESS_KEY_ID,
  S3_SECRET_ACCESS_KEY,
}: S3Settings): S3Location {
  return {
    bucket: S3_BUCKET,
    region: S3_REGION,
    endpoint: S3_ENDPOINT === '' ? undefined : S3_ENDPOINT,
    credentials:
      S3_ACCESS_KEY_ID === '' ? undefined : { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY },
  }
}
