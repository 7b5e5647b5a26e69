import type { IncomingMessage, ServerResponse } from 'node:http'
import { askForBody } from '../connections/expectation.ts'
import { UploadError } from '../core/errors.ts'
import type { BodyProgress, Source } from '../core/source.ts'
import { type Trace, traceOf } from '../http/trace.ts'
import { Batch } from './batch.ts'

/** How long an incomplete batch waits for more bytes. Milliseconds. */
const GATHER_TIME = 5
/**
 * `eager`: everything that arrives is buffered, so none of it is lost if the connection breaks. `held`: after the first
 * batch, reading pauses until the next `read`, because the reader may have to wait for another request first.
 */
export type Buffering = 'eager' | 'held'

/** A request and its response. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

interface Waiter {
  readonly resolve: (batch: readonly Buffer[] | null) => void
  readonly reject: (error: Error) => void
}

/**
 * Runs `work` on the body of a request, and closes the body afterwards.
 *
 * @param idleTimeout when a body without data is aborted, in milliseconds.
 */
export async function withBody<T>(
  exchange: Exchange,
  idleTimeout: number,
  work: (body: RequestBody) => Promise<T>,
  buffering: Buffering = 'eager',
): Promise<T> {
  const body = new RequestBody(exchange, idleTimeout, buffering)
  try {
    return await work(body)
  } finally {
    body.close()
  }
}

/**
 * The body of a request, read from its socket without an intermediate stream. The next batch fills while the previous
 * one is written; when it is full, the socket pauses, so a slow disk slows the client down. Reading starts with the
 * first `read`, which also sends `100 Continue` to a client that waits for it.
 */
export class RequestBody implements Source {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #idleTimeout: number
  readonly #trace: Trace | undefined
  #batch = new Batch()
  /** The batch that the last `read` returned. */
  #lent: Batch | undefined
  #started = false
  readonly #buffering: Buffering
  #handedOutBytes = 0
  /** Bytes handed out before the last `read`. */
  #doneBytes = 0
  #ended = false
  #failure: Error | undefined
  #waiter: Waiter | undefined
  #waitingSince: number | undefined
  #idle: NodeJS.Timeout | undefined
  #gather: NodeJS.Timeout | undefined

  /** @param idleTimeout when a body without data is aborted, in milliseconds. */
  constructor({ req, res }: Exchange, idleTimeout: number, buffering: Buffering = 'eager') {
    this.#request = req
    this.#response = res
    this.#buffering = buffering
    this.#idleTimeout = idleTimeout
    this.#trace = traceOf(req)
  }

  get waitingSince(): number | undefined {
    return this.#waitingSince
  }

  progress(): BodyProgress {
    return {
      arrived: this.#handedOutBytes + this.#batch.size,
      done: this.#doneBytes,
      paused: this.#request.isPaused(),
      ended: this.#ended || this.#failure !== undefined,
    }
  }

  read(): Promise<readonly Buffer[] | null> {
    this.#lent?.release()
    this.#lent = undefined
    this.#doneBytes = this.#handedOutBytes
    if (!this.#started) this.#start()
    if (this.#batch.isFull || ((this.#ended || this.#failure !== undefined) && this.#batch.size > 0)) {
      return Promise.resolve(this.#take())
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#ended) return Promise.resolve(null)
    this.#resume()
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      this.#waitingSince = performance.now()
      this.#idle = setTimeout(() => this.#timeOut(), this.#idleTimeout)
      if (this.#batch.size > 0) this.#gatherBriefly()
    })
  }

  /** Releases the request and all buffers. Call it when no `read` and no write is pending. */
  close(): void {
    this.#lent?.release()
    this.#lent = undefined
    this.#batch.release()
    if (this.#started) this.#stop()
  }

  cancel(reason: Error): void {
    if (this.#ended && this.#batch.size === 0) return
    this.#batch.release()
    this.#fail(reason)
    this.#stop()
  }

  #start(): void {
    this.#started = true
    if (this.#trace !== undefined) this.#trace.intake = 'receiving'
    askForBody(this.#response)
    const request = this.#request
    request.on('error', this.#onClose)
    if (request.readableEnded) {
      this.#ended = true
    } else if (request.destroyed) {
      this.#onClose()
    } else {
      request.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
    }
  }

  /** From here on, other code may discard the rest of the body. */
  #stop(): void {
    this.#request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    if (this.#trace !== undefined) this.#trace.intake = undefined
    if (!this.#ended) this.#request.pause()
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#add(bytes)
    if (this.#batch.isFull) this.#request.pause()
    if (this.#waiter === undefined) return
    this.#waitingSince = performance.now()
    if (this.#batch.isFull || this.#isHeld) this.#deliver()
    else {
      this.#idle?.refresh()
      this.#gatherBriefly()
    }
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#deliver()
  }

  readonly #onClose = (): void => {
    if (this.#ended) return
    this.#takeBuffered()
    if (this.#request.complete) this.#onEnd()
    else this.#fail(new UploadError('connection_closed', 'The connection closed before the whole body arrived.'))
  }

  /** Takes what arrived before the connection ended, but was not emitted because the request was paused. */
  #takeBuffered(): void {
    this.#request.off('data', this.#onData)
    for (;;) {
      const bytes: Buffer | null = this.#request.read()
      if (bytes === null) return
      this.#add(bytes)
    }
  }

  #add(bytes: Buffer): void {
    this.#batch.add(bytes)
    if (this.#trace !== undefined) this.#trace.received += bytes.length
  }

  #timeOut(): void {
    this.#fail(new UploadError('idle_timeout', 'No data received within the idle timeout.'))
  }

  /** Whether buffering ahead has to wait for the next `read`. */
  get #isHeld(): boolean {
    return this.#buffering === 'held' && this.#handedOutBytes === 0
  }

  #resume(): void {
    if (this.#request.isPaused()) this.#request.resume()
  }

  #gatherBriefly(): void {
    this.#gather ??= setTimeout(() => this.#deliver(), GATHER_TIME)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#deliver()
  }

  #deliver(): void {
    const waiter = this.#waiter
    if (waiter === undefined) return
    this.#waiter = undefined
    this.#waitingSince = undefined
    clearTimeout(this.#idle)
    if (this.#batch.size > 0) waiter.resolve(this.#take())
    else if (this.#failure !== undefined) waiter.reject(this.#failure)
    else waiter.resolve(null)
  }

  #take(): readonly Buffer[] {
    const batch = this.#batch
    this.#lent = batch
    this.#batch = new Batch()
    clearTimeout(this.#gather)
    this.#gather = undefined
    const isFirst = this.#handedOutBytes === 0
    this.#handedOutBytes += batch.size
    if (this.#buffering === 'held' && isFirst) this.#request.pause()
    else this.#resume()
    return batch.pieces
  }
}
