import path from 'node:path'
import type { Logger } from 'pino'
import type { UploadEvent } from './core/events.ts'
import type { Outbox } from './core/outbox.ts'
import type { OutboxStep } from './disk/environment.ts'
import { Layout } from './disk/layout.ts'
import { DiskOutbox } from './outbox/disk-outbox.ts'
import type { Environment } from './s3/environment.ts'
import { S3Outbox } from './s3/s3-outbox.ts'
import type { Settings } from './settings.ts'
import { Endpoint, endpointName, SCHEDULE, type Schedule } from './webhooks/endpoint.ts'
import { payloadOf } from './webhooks/payload.ts'
import { keysOf } from './webhooks/signature.ts'

/** How long requests in flight may continue when the service stops, in milliseconds. */
const GRACE = 5_000

export interface Webhooks {
  readonly outbox: Outbox
  /** Deliveries that wait, and since when the oldest does: milliseconds since 1970. */
  pending(): { readonly count: number; readonly oldest: number | undefined }
  /** How many deliveries were given up. @throws the error of the storage. */
  dead(): Promise<number>
  /** Ends the deliveries. Call this when uploads have ended, before the store is closed. */
  close(): Promise<void>
}

/** Where events are kept. */
export interface EventPlace {
  /** The bucket of the uploads; without it, events are in the data directory. */
  readonly bucket?: Environment | undefined
  /** Called after each step of an outbox in the data directory. */
  readonly onStep: (step: OutboxStep) => void
}

/** The webhooks of the settings, which have at least one URL. */
export function openWebhooks(
  settings: Settings,
  log: Logger,
  place: EventPlace,
  schedule: Schedule = SCHEDULE,
): Webhooks {
  const keys = keysOf(settings.WEBHOOK_SECRET)
  const outbox = openOutbox(settings, log, place)
  const timeout = settings.WEBHOOK_TIMEOUT * 1000
  const endpoints = settings.WEBHOOK_URLS.map((url) => {
    const endpoint = new Endpoint({ url, keys, timeout, schedule, log })
    outbox.handOut(endpointName(url), (letter) => endpoint.receive(letter))
    return endpoint
  })
  return {
    outbox,
    pending: () => {
      const all = endpoints.map((endpoint) => endpoint.pending)
      const ages = all.map(({ oldest }) => oldest).filter((oldest) => oldest !== undefined)
      const count = all.reduce((sum, one) => sum + one.count, 0)
      return { count, oldest: ages.length > 0 ? Math.min(...ages) : undefined }
    },
    dead: () => outbox.countDead(),
    close: async () => {
      await Promise.all(endpoints.map((endpoint) => endpoint.close(GRACE)))
      await outbox.close()
    },
  }
}

function openOutbox(settings: Settings, log: Logger, { bucket, onStep }: EventPlace) {
  const layout = new Layout(settings.DATA_DIR)
  const options = {
    types: new Set(settings.WEBHOOK_EVENTS),
    bodyOf: (event: UploadEvent) => payloadOf(event, path.resolve(layout.root)),
    onNotice: (sentence: string, err?: unknown) => log.error({ err }, sentence),
  }
  if (bucket !== undefined) return new S3Outbox(bucket, options)
  const endpoints = settings.WEBHOOK_URLS.map(endpointName)
  return new DiskOutbox({ ...options, folder: layout.outbox, sync: settings.SYNC, endpoints, onStep })
}
