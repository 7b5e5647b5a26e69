import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Poster, type Reply } from '../posting/poster.ts'
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
  /** Headers that prove to the receiver who calls, by the id of the call and the body; names and values in turns. */
  readonly sign: (id: string, body: string) => readonly string[]
}

/** Posts hooks to a URL. */
export class HttpTransport implements Transport {
  readonly concurrency = 64
  readonly #options: HttpTransportOptions
  readonly #poster: Poster

  constructor(options: HttpTransportOptions) {
    const { url, timeout } = options
    this.#options = options
    this.#poster = new Poster({ url: new URL(url), timeout, connections: this.concurrency, maxBody: MAX_RESPONSE })
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    const { retries, backoff, sign } = this.#options
    const id = `hook_${randomUUID().replaceAll('-', '')}`
    for (let attempt = 0; ; attempt += 1) {
      try {
        const headers = [...this.#forwarded(call), ...sign(id, call.body), 'Content-Type', 'application/json']
        return responseIn(await this.#poster.post(call.body, headers, signal).catch(unreachable))
      } catch (error) {
        if (error instanceof WrongAnswer || signal.aborted || attempt >= retries) throw error
        await delay(backoff * 2 ** attempt, undefined, { signal })
      }
    }
  }

  close(): void {
    this.#poster.close()
  }

  #forwarded({ headers }: HookCall): readonly string[] {
    return this.#options.forwardedHeaders.flatMap((name) => {
      const values = headers[name.toLowerCase()]
      return values === undefined ? [] : [name, values.join(', ')]
    })
  }
}

/** An answer that would be the same again. */
class WrongAnswer extends Error {}

/** @throws Error always. */
function unreachable(error: unknown): never {
  throw new Error(`HOOKS_URL could not be called: ${error instanceof Error ? error.message : String(error)}`)
}

/** @throws WrongAnswer when the response is none to a hook; Error when another one may be. */
function responseIn({ status, headers, text, body }: Reply): HookResponse {
  if (status >= 500) throw new Error(`HOOKS_URL answered with status ${status}.`)
  if (status < 200 || status > 299) throw new WrongAnswer(`HOOKS_URL answered with status ${status}.`)
  if (body === 'long') throw new WrongAnswer(`HOOKS_URL answered with more than ${MAX_RESPONSE} bytes.`)
  if (body === 'broken') throw new Error('The answer of HOOKS_URL ended early.')
  if (status === 204) return NOTHING
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new WrongAnswer('HOOKS_URL answered without Content-Type: application/json.')
  try {
    return parseHookResponse(text)
  } catch (error) {
    throw new WrongAnswer(error instanceof Error ? error.message : String(error))
  }
}
