import type { ErrorCode } from '../core/errors.ts'

/** A request whose response has ended, or whose connection broke; also one that is not valid HTTP. */
export interface EndedRequest {
  /** As `X-Request-Id` has it. */
  readonly id: string
  /** Empty if it could not be parsed. */
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
  /** In milliseconds; `undefined` if the request could not be parsed. */
  readonly duration: number | undefined
  /** Whether the client disconnected before the response ended. */
  readonly isAborted: boolean
}

/** A request that has not ended. */
export interface RunningRequest {
  readonly id: string
  readonly method: string
  readonly protocol: EndedRequest['protocol']
  readonly address: string
  readonly route: string | undefined
  readonly upload: string | undefined
  readonly owner: string | undefined
  /** Bytes of its body that the service has read so far. */
  readonly received: number
  /** Bytes of the response that a download has sent so far. */
  readonly sent: number
  /** What it does with its body: it waits for others of its client, or bytes are arriving. */
  readonly intake: 'waiting' | 'receiving' | undefined
}

/** Reports requests when they end: the access log, metrics, and the admin API subscribe to it. */
export class RequestFeed {
  readonly #listeners = new Set<(request: EndedRequest) => void>()
  readonly #running = new Set<RunningRequest>()

  /** Whether anything listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  /** @returns a function that ends the subscription. */
  on(listener: (request: EndedRequest) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The running requests, if anything listened when they began. */
  get running(): ReadonlySet<RunningRequest> {
    return this.#running
  }

  /** A request begins. */
  begin(request: RunningRequest): void {
    this.#running.add(request)
  }

  /** A request that has begun has ended. */
  end(request: RunningRequest, ended: EndedRequest): void {
    this.#running.delete(request)
    this.emit(ended)
  }

  emit(request: EndedRequest): void {
    for (const listener of this.#listeners) listener(request)
  }
}
