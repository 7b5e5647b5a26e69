import type { UploadEvent } from './events.ts'

/** Events that are about to become true. Call `confirm` or `cancel` once. */
export interface Intent {
  /** Settles when the events survive whatever the change survives that they report. @throws UploadError like `Store`. */
  readonly written: Promise<void>
  /** The change is committed: the events can be delivered. */
  confirm(): void
  /** The change was not committed. */
  cancel(): void
}

/**
 * Keeps events until they are delivered. An event is written before the change that it reports is committed, so no
 * crash can separate them: events whose change was not committed are dropped after a restart.
 */
export interface Outbox {
  intend(events: readonly UploadEvent[]): Intent
}
