import path from 'node:path'
import type { Logger } from 'pino'
import type { Outbox } from './core/outbox.ts'
import type { OutboxStep } from './disk/environment.ts'
import { Layout } from './disk/layout.ts'
import { DiskOutbox } from './outbox/disk-outbox.ts'
import type { Settings } from './settings.ts'
import { Endpoint, endpointName, SCHEDULE, type Schedule } from './webhooks/endpoint.ts'
import { payloadOf } from './webhooks/payload.ts'
import { keysOf } from './webhooks/signature.ts'

/** How long requests in flight may continue when the service stops, in milliseconds. */
const GRACE = 5_000

export interface Webhooks {
  readonly outbox: Outbox
  /** Ends the deliveries. Call this when uploads have ended, before the store is closed. */
  close(): Promise<void>
}

/** The webhooks of the settings, which have at least one URL. */
export function openWebhooks(
  settings: Settings,
  log: Logger,
  onStep: (step: OutboxStep) => void,
  schedule: Schedule = SCHEDULE,
): Webhooks {
  const layout = new Layout(settings.DATA_DIR)
  const keys = keysOf(settings.WEBHOOK_SECRET)
  const outbox = new DiskOutbox({
    folder: layout.outbox,
    sync: settings.SYNC,
    endpoints: settings.WEBHOOK_URLS.map(endpointName),
    types: new Set(settings.WEBHOOK_EVENTS),
    bodyOf: (event) => payloadOf(event, path.resolve(layout.root)),
    onNotice: (sentence, err) => log.error({ err }, sentence),
    onStep,
  })
  const timeout = settings.WEBHOOK_TIMEOUT * 1000
  const endpoints = settings.WEBHOOK_URLS.map((url) => {
    const endpoint = new Endpoint({ url, keys, timeout, schedule, log })
    outbox.handOut(endpointName(url), (letter) => endpoint.receive(letter))
    return endpoint
  })
  return {
    outbox,
    close: async () => {
      await Promise.all(endpoints.map((endpoint) => endpoint.close(GRACE)))
      await outbox.close()
    },
  }
}
