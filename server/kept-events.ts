import type { Backlog, DeadLetter } from './core/written-event.ts'
import { withAccess } from './disk/access.ts'
import { Layout } from './disk/layout.ts'
import { readBacklogs } from './outbox/backlog.ts'
import { DeadLetters } from './outbox/dead-letters.ts'
import type { Environment } from './s3/environment.ts'
import type { Settings } from './settings.ts'

/** The events of a service, as its operator sees them. A service may be using them. */
export interface KeptEvents {
  /** What these endpoints have not received, and others that have dead letters. */
  backlogs(endpoints: readonly string[]): Promise<readonly Backlog[]>
  /** The names of all dead letters, the ids of their events first. */
  deadLetters(): Promise<readonly string[]>
  /** A dead letter; `undefined` if there is none, or another program has written it. */
  deadLetter(name: string): Promise<DeadLetter | undefined>
  /** Has a dead letter sent again. */
  sendAgain(name: string): Promise<void>
  /** Deletes a dead letter. */
  forget(name: string): Promise<void>
}

/**
 * Works with the events in the data directory, or in the bucket of the settings.
 *
 * @throws Error with a sentence for the operator when the data directory is not accessible; S3Error.
 */
export async function withKeptEvents(settings: Settings, work: (events: KeptEvents) => Promise<void>): Promise<void> {
  if (settings.STORE === 's3') {
    const { s3Environment } = await import('./open-s3-store.ts')
    const bucket = s3Environment(settings)
    try {
      await work(await eventsInBucket(bucket))
    } finally {
      bucket.port.close()
    }
  } else {
    const layout = new Layout(settings.DATA_DIR)
    await withAccess(layout, () => work(eventsOnDisk(layout)))
  }
}

/** Loaded only where uploads are in a bucket. */
export async function eventsInBucket(bucket: Environment): Promise<KeptEvents> {
  const { readBucketBacklogs } = await import('./s3/backlog.ts')
  const { BucketDeadLetters } = await import('./s3/dead-letters.ts')
  const letters = new BucketDeadLetters(bucket)
  return {
    backlogs: (endpoints) => readBucketBacklogs(bucket, endpoints),
    deadLetters: () => letters.names(),
    deadLetter: (name) => letters.read(name),
    sendAgain: (name) => letters.sendAgain(name),
    forget: (name) => letters.remove(name),
  }
}

/** The events in a data directory. */
export function eventsOnDisk({ outbox }: Layout): KeptEvents {
  const letters = new DeadLetters(outbox)
  return {
    backlogs: (endpoints) => readBacklogs(outbox, endpoints),
    deadLetters: () => letters.names(),
    deadLetter: (name) => letters.read(name),
    sendAgain: (name) => letters.sendAgain(name),
    forget: (name) => letters.remove(name),
  }
}
