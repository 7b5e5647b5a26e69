import { randomUUID } from 'node:crypto'
import { cellSizes } from './s3/cells.ts'
import { systemClock } from './s3/clock.ts'
import type { Environment } from './s3/environment.ts'
import { keyByTemplate } from './s3/key-template.ts'
import { MemoryBudget } from './s3/memory-budget.ts'
import { RetryingPort } from './s3/retrying-port.ts'
import { SdkPort } from './s3/sdk-port.ts'
import type { Settings } from './settings.ts'

/** The settings of the bucket. */
export type BucketSettings = Pick<
  Settings,
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

/** The bucket, which the uploads and their events share. No call is made. The store closes its port. */
export function openBucket(settings: BucketSettings): Environment {
  return {
    port: new RetryingPort(new SdkPort(locationOf(settings))),
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

function locationOf({ S3_BUCKET, S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY }: BucketSettings) {
  return {
    bucket: S3_BUCKET,
    region: S3_REGION,
    endpoint: S3_ENDPOINT === '' ? undefined : S3_ENDPOINT,
    credentials:
      S3_ACCESS_KEY_ID === '' ? undefined : { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY },
  }
}
