import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { Store } from './core/store.ts'
import { Layout } from './disk/layout.ts'
import { takeOwnership } from './disk/owner.ts'
import { cellSizes } from './s3/cells.ts'
import { systemClock } from './s3/clock.ts'
import type { Environment } from './s3/environment.ts'
import { keyByTemplate, startOfKeys } from './s3/key-template.ts'
import { MemoryBudget } from './s3/memory-budget.ts'
import { testUnlessPassed } from './s3/passed-self-test.ts'
import type { Probe } from './s3/probe.ts'
import { RetryingPort } from './s3/retrying-port.ts'
import type { S3Port } from './s3/s3-port.ts'
import { S3Store } from './s3/s3-store.ts'
import type { S3Location } from './s3/sdk-client.ts'
import { SdkPort } from './s3/sdk-port.ts'
import { SdkProbe } from './s3/sdk-probe.ts'
import { type Finding, selfTest } from './s3/self-test.ts'
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
 * @param environment of `s3Environment`; the store closes its port.
 * @param onNotice receives notices for the operator, one sentence each.
 * @throws Error with a sentence for the operator when the directory or the bucket cannot be used.
 */
export async function openS3Store(
  settings: S3Settings,
  environment: Environment,
  onNotice: (sentence: string) => void,
): Promise<Store> {
  const layout = new Layout(settings.DATA_DIR)
  for (const folder of [layout.senders, layout.visitors, layout.adoptions]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  const owner = await takeOwnership(layout)
  try {
    await checkBucket(settings, environment.port, onNotice)
  } catch (error) {
    await owner.release()
    throw error
  }
  return new S3Store(environment, () => owner.release())
}

/**
 * Makes sure that uploads are safe in the bucket.
 *
 * @param onNotice receives notices for the operator, one sentence each.
 * @throws Error with sentences for the operator.
 */
export async function checkBucket(
  settings: S3Settings,
  port: S3Port,
  onNotice: (sentence: string) => void,
): Promise<void> {
  const findings = await withProbe(settings, (probe) => testUnlessPassed(port, probe, ...placesOf(settings)))
  const fatal = findings.filter(({ isFatal }) => isFatal).map(({ sentence }) => sentence)
  if (fatal.length > 0) throw new Error(`The bucket ${settings.S3_BUCKET} cannot keep uploads. ${fatal.join(' ')}`)
  for (const { sentence } of findings) onNotice(sentence)
}

/** What S3, or the bucket, does not do as the store needs it. */
export function testBucket(settings: S3Settings, port: S3Port): Promise<readonly Finding[]> {
  return withProbe(settings, (probe) => selfTest(port, probe, ...placesOf(settings)))
}

async function withProbe<T>(settings: S3Settings, work: (probe: Probe) => Promise<T>): Promise<T> {
  const probe = new SdkProbe(locationOf(settings))
  try {
    return await work(probe)
  } finally {
    probe.close()
  }
}

/** Where keys begin of everything but files, and those of files. */
function placesOf({ S3_PREFIX, S3_KEY }: S3Settings): [string, string] {
  return [S3_PREFIX, startOfKeys(S3_KEY)]
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
