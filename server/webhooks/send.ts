import http from 'node:http'
import https from 'node:https'

/** Maximum bytes of a response that are read, so that its connection can be used again. */
const MAX_RESPONSE = 64 * 1024

/** What a receiver said. */
export interface Reply {
  readonly status: number
  /** `Retry-After` in milliseconds. */
  readonly retryAfter: number | undefined
}

/** Sends one request at a time on each of its connections; never follows a redirect. */
export class Sender {
  readonly #url: URL
  readonly #timeout: number
  readonly #agent: http.Agent

  /** @param timeout maximum duration of an attempt, in milliseconds. */
  constructor(url: URL, timeout: number, connections: number) {
    this.#url = url
    this.#timeout = timeout
    const options = { keepAlive: true, maxSockets: connections }
    this.#agent = url.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options)
  }

  /**
   * Returns when the response has ended, or its connection: at most so many requests run as there are connections.
   *
   * @throws Error when there is no response in time.
   */
  post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Reply> {
    const { request: open } = this.#url.protocol === 'https:' ? https : http
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const bytes = Buffer.from(body)
      let reply: Reply | undefined
      const request = open(this.#url, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          ...headers,
          'Content-Type': 'application/json',
          'Content-Length': bytes.length,
          'User-Agent': 'Landfall',
        },
      })
      const end = (error: Error): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        request.destroy()
        if (reply === undefined) reject(error)
        else resolve(reply)
      }
      const abort = (): void => end(new Error('The service stops.'))
      const timer = setTimeout(() => end(new Error('No response in time.')), this.#timeout)
      signal.addEventListener('abort', abort)
      request.on('error', end).once('close', () => end(new Error('The connection was closed.')))
      request.once('response', (response) => {
        reply = { status: response.statusCode ?? 0, retryAfter: retryAfterOf(response.headers['retry-after']) }
        let left = MAX_RESPONSE
        response.on('error', end).on('data', (piece: Buffer) => {
          left -= piece.length
          if (left < 0) request.destroy()
        })
      })
      request.end(bytes)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

function retryAfterOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}
