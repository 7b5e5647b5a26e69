import type { ErrorCode } from '../core/errors.ts'

/** A request whose response has ended, or whose connection broke. */
export interface EndedRequest {
  /** As `X-Request-Id` has it. */
  readonly id: string
  readonly method: string
  /** The path of its route, such as `/files/:id`; `undefined` if no route has its path. */
  readonly route: string | undefined
  readonly protocol: 'tus' | 'draft' | 'webuploader' | 'none'
  readonly status: number
  /** Of the error that was the response. */
  readonly code: ErrorCode | undefined
  /** The id of the upload that the request reached. */
  readonly upload: string | undefined
  /** Who sent it, if the client is known. */
  readonly owner: string | undefined
  readonly address: string
  /** Bytes of the body that the service has read. */
  readonly received: number
  /** Bytes of the response body. */
  readonly sent: number
  /** Until the head of the response was written, in milliseconds; `undefined` if none was. */
  readonly firstByte: number | undefined
  /** In milliseconds. */
  readonly duration: number
  /** Whether the client disconnected before the response ended. */
  readonly isAborted: boolean
}

/** Reports requests when they end: the access log, metrics, and the admin API subscribe to it. */
export class RequestFeed {
  readonly #listeners = new Set<(request: EndedRequest) => void>()

  /** Whether anything listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  /** @returns a function that ends the subscription. */
  on(listener: (request: EndedRequest) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(request: EndedRequest): void {
    for (const listener of this.#listeners) listener(request)
  }
}
