import { randomUUID } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { urlToHttpOptions } from 'node:url'
import type { HookCall } from './hook-call.ts'
import { type HookResponse, MAX_RESPONSE, NOTHING, parseHookResponse } from './hook-response.ts'
import type { Transport } from './transport.ts'

export interface HttpTransportOptions {
  /** The receiver. */
  readonly url: string
  /** Maximum duration of one attempt, in milliseconds. */
  readonly timeout: number
  /** Maximum further attempts after a network error or a status of 500 or more. */
  readonly retries: number
  /** The wait before the first retry, in milliseconds; each further wait is twice as long. */
  readonly backoff: number
  /** Names of headers of the client's request that are sent along. */
  readonly forwardedHeaders: readonly string[]
  /** Headers that prove to the receiver who calls, by the id of the call and the body. */
  readonly sign: (id: string, body: string) => Readonly<Record<string, string>>
}

const KEEP_ALIVE = { keepAlive: true }

/** Posts hooks to a URL. By `http`: `fetch` would take more time than a call on the same host. */
export class HttpTransport implements Transport {
  readonly concurrency = 64
  readonly #options: HttpTransportOptions
  /** Parsed once, not for each call. */
  readonly #target: http.RequestOptions
  readonly #open: typeof http.request

  constructor(options: HttpTransportOptions) {
    this.#options = options
    const isSecure = options.url.startsWith('https:')
    this.#open = isSecure ? https.request : http.request
    const agent = isSecure ? new https.Agent(KEEP_ALIVE) : new http.Agent(KEEP_ALIVE)
    this.#target = { ...urlToHttpOptions(new URL(options.url)), method: 'POST', agent }
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    const { retries, backoff } = this.#options
    const id = `hook_${randomUUID().replaceAll('-', '')}`
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#post(call, id, signal)
      } catch (error) {
        if (error instanceof WrongAnswer || signal.aborted || attempt >= retries) throw error
        await delay(backoff * 2 ** attempt, undefined, { signal })
      }
    }
  }

  /** One attempt. Its time ends by a plain timer: an `AbortSignal` for each would take longer than the call. */
  async #post(call: HookCall, id: string, signal: AbortSignal): Promise<HookResponse> {
    signal.throwIfAborted()
    const request = this.#open({ ...this.#target, headers: this.#headersOf(call, id) })
    let give: (reason: unknown) => void = () => undefined
    const end = (reason: unknown): void => {
      give(reason)
      request.destroy()
    }
    const abort = (): void => end(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const timer = setTimeout(() => end(new Error('HOOKS_URL took too long.')), this.#options.timeout)
    try {
      return await new Promise<HookResponse>((resolve, reject) => {
        give = reject
        request.on('error', (error) => reject(new Error(`HOOKS_URL could not be called: ${error.message}`)))
        request.on('response', (response) => {
          responseIn(response)
            .then(resolve, reject)
            // The rest of a body that is not wanted ends with its connection.
            .finally(() => response.complete || request.destroy())
        })
        request.end(call.body)
      })
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }

  #headersOf(call: HookCall, id: string): http.OutgoingHttpHeaders {
    return {
      ...this.#forwarded(call),
      ...this.#options.sign(id, call.body),
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(call.body),
    }
  }

  #forwarded({ headers }: HookCall): Record<string, string> {
    const forwarded = this.#options.forwardedHeaders.flatMap((name) => {
      const values = headers[name.toLowerCase()]
      return values === undefined ? [] : [[name, values.join(', ')] as const]
    })
    return Object.fromEntries(forwarded)
  }
}

/** An answer that would be the same again. */
class WrongAnswer extends Error {}

/** @throws Error when the response is none to a hook. */
async function responseIn(response: http.IncomingMessage): Promise<HookResponse> {
  const { statusCode: status = 0, headers } = response
  if (status >= 500) throw new Error(`HOOKS_URL answered with status ${status}.`)
  if (status < 200 || status > 299) throw new WrongAnswer(`HOOKS_URL answered with status ${status}.`)
  const text = await textOf(response)
  if (status === 204) return NOTHING
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new WrongAnswer('HOOKS_URL answered without Content-Type: application/json.')
  try {
    return parseHookResponse(text)
  } catch (error) {
    throw new WrongAnswer(error instanceof Error ? error.message : String(error))
  }
}

/** @throws WrongAnswer when it is too long; Error when it ends early. */
function textOf(body: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  return new Promise((resolve, reject) => {
    body.on('data', (piece: Buffer) => {
      length += piece.length
      if (length <= MAX_RESPONSE) pieces.push(piece)
      else reject(new WrongAnswer(`HOOKS_URL answered with more than ${MAX_RESPONSE} bytes.`))
    })
    body.once('end', () => resolve(Buffer.concat(pieces).toString('utf8')))
    body.on('error', reject)
  })
}
