import type { Decisions } from './core/decisions.ts'
import type { Events } from './core/events.ts'
import type { Reports } from './core/reported-store.ts'
import type { Webhooks } from './open-webhooks.ts'

/** The parts through which an application decides, and learns what happens. */
export interface Application {
  readonly decisions: Decisions
  /** Without them, nothing listens to events. */
  readonly reports: Reports | undefined
  /** Whether anything wants to know the requests behind events and decisions. */
  readonly hasApplication: boolean
}

/** Minimum time between two `progress` events of an upload, in milliseconds. */
const PROGRESS_INTERVAL = 1_000

/** The application by the settings. */
export function openApplication(events: Events, webhooks?: Webhooks): Application {
  const reports = { events, outbox: webhooks?.outbox, progressInterval: PROGRESS_INTERVAL }
  return { decisions: {}, reports, hasApplication: false }
}
