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

  /** @throws Error when there is no response in time. */
  post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Reply> {
    const { request: open } = this.#url.protocol === 'https:' ? https : http
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const request = open(this.#url, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          ...headers,
          'Content-Type': 'application/json',
          'Content-Length': bytes.length,
          'User-Agent': 'Landfall',
        },
      })
      const timer = setTimeout(() => request.destroy(new Error('No response in time.')), this.#timeout)
      request.on('error', reject).once('close', () => {
        clearTimeout(timer)
        reject(new Error('The connection was closed.'))
      })
      request.once('response', (response) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: retryAfterOf(response.headers['retry-after']) })
        let left = MAX_RESPONSE
        response
          .on('error', () => undefined)
          .on('data', (piece: Buffer) => {
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
