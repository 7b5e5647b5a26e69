import type { IncomingHttpHeaders } from 'node:http'
import { Pool } from 'undici'

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
  readonly #authorization: Readonly<Record<string, string>>

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

  /** One attempt. @throws Error when no head of a response arrives in time; the reason of `signal`. */
  post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Reply> {
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let length = 0
      let head: { readonly status: number; readonly headers: IncomingHttpHeaders } | undefined
      let failure: Error | undefined
      let abort: (reason: Error) => void = () => undefined
      const settle = (state: Reply['body'], error: Error): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        if (head === undefined) reject(error)
        else resolve({ ...head, text: Buffer.concat(pieces).toString('utf8'), body: state })
      }
      const give = (state: Reply['body'], error: Error): void => {
        failure = error
        settle(state, error)
        abort(error)
      }
      const stop = (): void => give('broken', signal.reason)
      const timer = setTimeout(() => give('broken', new Error('No response in time.')), this.#options.timeout)
      signal.addEventListener('abort', stop, { once: true })
      this.#pool.dispatch(
        { path: this.#path, method: 'POST', body, headers: { ...this.#authorization, ...headers } },
        {
          onRequestStart: (controller) => {
            abort = (reason) => controller.abort(reason)
            // Given up while it waited for a connection.
            if (failure !== undefined) controller.abort(failure)
          },
          onResponseStart: (_, status, responseHeaders) => {
            if (status >= 200) head = { status, headers: responseHeaders }
          },
          onResponseData: (_, piece) => {
            length += piece.length
            if (length <= this.#options.maxBody) pieces.push(piece)
            else give('long', new Error('The response is too long.'))
          },
          onResponseEnd: () => settle('whole', new Error('The response has no head.')),
          onResponseError: (_, error) => settle('broken', error),
        },
      )
    })
  }

  /** Closes the connections; what is being sent is aborted. */
  close(): void {
    this.#pool.destroy().catch(() => undefined)
  }
}

/** The credentials in a URL (RFC 7617). */
function basicOf({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {}
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}
