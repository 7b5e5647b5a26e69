import type { IncomingHttpHeaders } from 'node:http'
import { type Dispatcher, Pool } from 'undici'

/** Maximum time to connect, in milliseconds; a shorter time for a whole attempt is the maximum. */
const CONNECT_TIMEOUT = 10_000

export interface PosterOptions {
  readonly url: URL
  /** Maximum connections, each with one request at a time. */
  readonly connections: number
  /** Maximum duration of an attempt, in milliseconds. */
  readonly timeout: number
  /** Maximum bytes of a response body that are read. */
  readonly maxBody: number
}

/** A response whose head has arrived. */
export interface Reply {
  readonly status: number
  /** By names in lower case. */
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Whether the body is whole, longer than the limit, or ended early. */
  readonly body: 'whole' | 'long' | 'broken'
}

/** Posts bodies to one URL over connections that are kept open. Never follows a redirect. */
export class Poster {
  readonly #options: PosterOptions
  readonly #pool: Pool
  readonly #path: string
  readonly #authorization: readonly string[]

  constructor(options: PosterOptions) {
    const { url, connections, timeout } = options
    this.#options = options
    this.#path = url.pathname + url.search
    this.#authorization = basicOf(url)
    this.#pool = new Pool(url.origin, {
      connections,
      // The time of an attempt is measured here, as a whole.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: Math.min(timeout, CONNECT_TIMEOUT),
    })
  }

  /**
   * One attempt.
   *
   * @param headers names and values in turns.
   * @throws Error when no head of a response arrives in time, or before `close`; the reason of `signal`.
   */
  post(body: string, headers: readonly string[], signal?: AbortSignal): Promise<Reply> {
    signal?.throwIfAborted()
    return new Promise((resolve, reject) => {
      const attempt = new Attempt(this.#options, signal, resolve, reject)
      const all = [...this.#authorization, ...headers]
      this.#pool.dispatch({ path: this.#path, method: 'POST', body, headers: all }, attempt)
    })
  }

  /** Closes the connections; what is being sent is aborted. */
  close(): void {
    this.#pool.destroy().catch(() => undefined)
  }
}

/** What becomes of one request. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #maxBody: number
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: Error) => void
  readonly #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | undefined
  #failure: Error | undefined
  #status = 0
  #headers: IncomingHttpHeaders = {}
  readonly #pieces: Buffer[] = []
  #length = 0

  constructor(
    { maxBody, timeout }: PosterOptions,
    signal: AbortSignal | undefined,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
  ) {
    this.#maxBody = maxBody
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => this.#give('broken', new Error('No response in time.')), timeout)
    signal?.addEventListener('abort', this, { once: true })
  }

  /** The signal is aborted. */
  handleEvent(): void {
    this.#give('broken', this.#signal?.reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // Given up while it waited for a connection.
    if (this.#failure !== undefined) controller.abort(this.#failure)
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_: Dispatcher.DispatchController, piece: Buffer): void {
    this.#length += piece.length
    if (this.#length <= this.#maxBody) this.#pieces.push(piece)
    else this.#give('long', new Error('The response is too long.'))
  }

  onResponseEnd(): void {
    this.#settle('whole', undefined)
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#settle('broken', error)
  }

  #give(body: Reply['body'], error: Error): void {
    this.#failure = error
    this.#settle(body, error)
    this.#controller?.abort(error)
  }

  #settle(body: Reply['body'], error: Error | undefined): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this)
    if (this.#status === 0) {
      this.#reject(error ?? new Error('The response has no head.'))
      return
    }
    const text = this.#length === 0 ? '' : Buffer.concat(this.#pieces).toString('utf8')
    this.#resolve({ status: this.#status, headers: this.#headers, text, body })
  }
}

/** The credentials in a URL (RFC 7617). */
function basicOf({ username, password }: URL): readonly string[] {
  if (username === '' && password === '') return []
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return ['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`]
}
