import type { Events, UploadEvent } from './events.ts'
import type { Intent, Outbox } from './outbox.ts'

/** Where the events of a store go. */
export interface Reports {
  readonly events: Events
  /** Keeps events until they are delivered; without it, they are only emitted. */
  readonly outbox?: Outbox | undefined
  /** At least so many milliseconds are between two `progress` events of an upload. */
  readonly progressInterval: number
}

/** Events of one change: written before it is committed, emitted afterwards. */
export class Report {
  /** When the change may be committed. */
  readonly written: Promise<void>
  readonly #events: Events
  readonly #reported: readonly UploadEvent[]
  readonly #intent: Intent | undefined

  constructor({ events, outbox }: Reports, reported: readonly UploadEvent[]) {
    this.#events = events
    this.#reported = reported
    this.#intent = outbox?.intend(reported)
    this.written = this.#intent?.written ?? Promise.resolve()
    // The change may fail before it waits for this.
    this.written.catch(() => undefined)
  }

  /**
   * Runs the change, which waits for `written` before its commit.
   *
   * @param isOpen another change decides whether this one is confirmed.
   */
  async around<T>(change: () => Promise<T>, isOpen = false): Promise<T> {
    try {
      const result = await change()
      if (!isOpen) this.confirm()
      return result
    } catch (error) {
      this.doubt()
      throw error
    }
  }

  confirm(): void {
    this.#intent?.confirm()
    for (const event of this.#reported) this.#events.emit(event)
  }

  cancel(): void {
    this.#intent?.cancel()
  }

  /** The change threw, and may have been committed. */
  doubt(): void {
    this.#intent?.doubt()
  }
}
