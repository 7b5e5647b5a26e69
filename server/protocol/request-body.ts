import type { IncomingMessage, ServerResponse } from 'node:http'
import { askForBody } from '../connections/expectation.ts'
import { UploadError } from '../core/errors.ts'
import type { BodyProgress, Source } from '../core/source.ts'
import { Batch } from './batch.ts'

/** For how long a batch that is not full waits for more bytes. Milliseconds. */
const GATHER_TIME = 5
/**
 * `eager`: whatever has come is gathered, so that none of it is lost when the connection breaks. `held`: after the first
 * bytes no more are taken until they are asked for, because the reader may have to wait for others first.
 */
export type Buffering = 'eager' | 'held'

/** A request with the answer that it will get. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

interface Waiter {
  readonly resolve: (batch: readonly Buffer[] | null) => void
  readonly reject: (error: Error) => void
}

/**
 * Works with the body of a request, and lets go of it whatever comes of that.
 *
 * @param idleTimeout after how many milliseconds without a byte the client is given up.
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
 * The body of a request, taken from its socket without a stream in between. The next batch is gathered while the one before
 * is written; when it is full the socket is paused, so that a slow disk slows the client down. Nothing is read before the
 * first `read`, and a client that waits to be asked for the body is asked then.
 */
export class RequestBody implements Source {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #idleTimeout: number
  #batch = new Batch()
  /** What the last `read` handed out. */
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

  /** @param idleTimeout after how many milliseconds without a byte the client is given up. */
  constructor({ req, res }: Exchange, idleTimeout: number, buffering: Buffering = 'eager') {
    this.#request = req
    this.#response = res
    this.#buffering = buffering
    this.#idleTimeout = idleTimeout
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

  /** Lets go of the request and of all bytes. Called when nobody reads any more and no write is under way. */
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

  /** From here on somebody else may drain the request. */
  #stop(): void {
    this.#request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    if (!this.#ended) this.#request.pause()
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#batch.add(bytes)
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

  /** Node keeps what had come before the end of the connection and was not handed on: while nobody read, or the socket was paused. */
  #takeBuffered(): void {
    this.#request.off('data', this.#onData)
    for (;;) {
      const bytes: Buffer | null = this.#request.read()
      if (bytes === null) return
      this.#batch.add(bytes)
    }
  }

  #timeOut(): void {
    this.#fail(new UploadError('idle_timeout', 'No data received within the idle timeout.'))
  }

  /** Whether nothing may be gathered ahead yet. */
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
