import type { Evidence } from './committed.ts'
import type { UploadEvent } from './events.ts'

/** Events that are about to become true. Call one of `confirm`, `cancel`, and `doubt` once. */
export interface Intent {
  /** Settles when the events survive whatever the change survives that they report. @throws UploadError like `Store`. */
  readonly written: Promise<void>
  /** The change is committed: the events can be delivered. */
  confirm(): void
  /** The change was not committed. */
  cancel(): void
  /** The change threw, and may have been committed or not: the store shows which, as after a restart. */
  doubt(): void
}

/**
 * Keeps events until they are delivered. An event is written before the change that it reports is committed, so no
 * crash can separate them: an event that is neither confirmed nor cancelled is compared with the store after a restart,
 * before the upload can change again.
 */
export interface Outbox {
  /**
   * Called once, when the store is open and before anything is intended.
   *
   * @throws the error of the storage.
   */
  begin(store: Evidence): Promise<void>
  /** An event with the id of an earlier one that is still open replaces it. */
  intend(events: readonly UploadEvent[]): Intent
}

/** An event on its way to one endpoint. */
export interface Letter {
  /** The id of the event. */
  readonly id: string
  /** The id of the upload: letters of one upload are delivered in order. */
  readonly upload: string
  /** When the event was written, in milliseconds since 1970. */
  readonly at: number
  /** The JSON to send; `undefined` if another process has delivered it. @throws UploadError `storage_error`. */
  body(): Promise<string | undefined>
  /** Delivered: the letter is not handed out again. */
  delivered(): void
  /** It is sent later: further letters may be handed out meanwhile. */
  postponed(): void
  /** Given up: the letter is kept aside. @throws UploadError `no_space`, `storage_error`; then it is not. */
  dead(why: string): Promise<void>
}

/** Hands out what an outbox has to deliver. */
export interface Mailbox {
  /**
   * Hands out all letters to an endpoint, in order of their events. At most some thousands are handed out at a time;
   * further ones follow as those are delivered. Call this before `Outbox.begin`.
   *
   * @param endpoint a name that stays the same after restarts.
   */
  handOut(endpoint: string, receive: (letter: Letter) => void): void
  /** How many letters are kept aside. @throws the error of the storage. */
  countDead(): Promise<number>
}
