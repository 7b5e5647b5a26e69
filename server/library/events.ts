import type { RequestInfo } from '../core/current-request.ts'
import type { Events, EventType } from '../core/events.ts'
import { type UploadView, viewOf } from './view.ts'

/** Something that has happened to an upload. */
export interface LandfallEvent {
  readonly type: EventType
  /** The upload afterwards; before it, if it is gone. */
  readonly upload: UploadView
  readonly at: Date
  /** The request that caused it, where that is known. */
  readonly request: RequestInfo | undefined
}

type Listener = (event: LandfallEvent) => unknown

/**
 * What happens to the uploads of this process. A listener that throws, or whose promise rejects, is logged. A crash
 * between an event and its listener loses it: webhooks are for what must not be lost.
 */
export class LandfallEvents {
  readonly #events: Events
  readonly #onError: (error: unknown) => void

  constructor(events: Events, onError: (error: unknown) => void) {
    this.#events = events
    this.#onError = onError
  }

  /** @returns a function that ends the subscription. */
  readonly on = (type: EventType, listener: Listener): (() => void) =>
    this.#events.on([type], ({ upload, at, request }) => {
      const result = listener({ type, upload: viewOf(upload), at, request })
      if (result instanceof Promise) result.catch(this.#onError)
    })
}
