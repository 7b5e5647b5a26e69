import { hash } from 'node:crypto'
import { currentRequest, type RequestInfo } from './current-request.ts'
import type { UploadFacts } from './decisions.ts'
import type { FailureReason } from './record.ts'

/** What can happen to an upload. `rejected`: it failed because a scan or the application refused its file. */
export const EVENT_TYPES = ['created', 'progress', 'finished', 'failed', 'rejected', 'deleted', 'expired'] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** Something that has happened to an upload. */
export interface UploadEvent {
  readonly type: EventType
  /** The upload afterwards; before it, if it is gone. */
  readonly upload: UploadFacts
  readonly at: Date
  /** The request that caused it, where that is known. */
  readonly request: RequestInfo | undefined
}

export type EventListener = (event: UploadEvent) => void

/** The one list of events: hooks, webhooks, metrics, and embedding applications subscribe to it. */
export class Events {
  readonly #listeners = new Map<EventType, Set<EventListener>>()
  readonly #onError: (error: unknown) => void

  /** @param onError receives what listeners throw. */
  constructor(onError: (error: unknown) => void = () => undefined) {
    this.#onError = onError
  }

  /** Whether anything listens. */
  isHeard(type: EventType): boolean {
    return this.#listeners.has(type)
  }

  /** @returns a function that ends the subscription. */
  on(types: readonly EventType[], listener: EventListener): () => void {
    for (const type of types) this.#listeners.set(type, (this.#listeners.get(type) ?? new Set()).add(listener))
    return () => {
      for (const type of types) {
        const listeners = this.#listeners.get(type)
        listeners?.delete(listener)
        if (listeners?.size === 0) this.#listeners.delete(type)
      }
    }
  }

  /** Calls all listeners of the event. A listener that throws affects neither the upload nor the others. */
  emit(event: UploadEvent): void {
    for (const listener of this.#listeners.get(event.type) ?? []) {
      try {
        listener(event)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}

/** An event that happens now, because of the current request. */
export function eventOf(type: EventType, upload: UploadFacts): UploadEvent {
  return { type, upload, at: new Date(), request: currentRequest() }
}

/** The event that reports a failure. */
export function eventOfFailure({ code }: FailureReason): 'rejected' | 'failed' {
  return code === 'rejected' ? 'rejected' : 'failed'
}

/**
 * The id of an event, the same whenever the event is computed: receivers recognize a repetition. Ids of WebUploader
 * uploads can be used again after a deletion, so the time of the creation is part of it.
 */
export function eventId({ type, upload: { record } }: UploadEvent): string {
  return `evt_${hash('sha256', JSON.stringify([record.id, record.createdAt, type])).slice(0, 32)}`
}
