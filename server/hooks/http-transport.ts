import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { HookCall } from './hook-call.ts'
import { type HookResponse, MAX_RESPONSE, NOTHING, parseHookResponse } from './hook-response.ts'
import type { Transport } from './transport.ts'
import { within } from './within.ts'

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

/** Posts hooks to a URL. */
export class HttpTransport implements Transport {
  readonly concurrency = 64
  readonly #options: HttpTransportOptions

  constructor(options: HttpTransportOptions) {
    this.#options = options
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    const { timeout, retries, backoff } = this.#options
    const id = `hook_${randomUUID().replaceAll('-', '')}`
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await within(timeout, 'HOOKS_URL took too long.', signal, (signal) => this.#post(call, id, signal))
      } catch (error) {
        if (error instanceof WrongAnswer || signal.aborted || attempt >= retries) throw error
        await delay(backoff * 2 ** attempt, undefined, { signal })
      }
    }
  }

  async #post(call: HookCall, id: string, signal: AbortSignal): Promise<HookResponse> {
    const { url, sign } = this.#options
    const headers = { ...this.#forwarded(call), ...sign(id, call.body), 'Content-Type': 'application/json' }
    const options = { method: 'POST', headers, body: call.body, redirect: 'manual', signal } as const
    const response = await fetch(url, options).catch((error: unknown) => {
      throw new Error(`HOOKS_URL could not be called: ${reasonOf(error)}`)
    })
    try {
      return await responseIn(response)
    } finally {
      // Reads or ends the connection of a body that is not wanted.
      if (response.body?.locked === false) await response.body.cancel().catch(() => undefined)
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
async function responseIn(response: Response): Promise<HookResponse> {
  const { status, headers } = response
  if (status >= 500) throw new Error(`HOOKS_URL answered with status ${status}.`)
  if (!response.ok) throw new WrongAnswer(`HOOKS_URL answered with status ${status}.`)
  if (status === 204) return NOTHING
  const type = headers.get('Content-Type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new WrongAnswer('HOOKS_URL answered without Content-Type: application/json.')
  const text = await textOf(response)
  try {
    return parseHookResponse(text)
  } catch (error) {
    throw new WrongAnswer(reasonOf(error))
  }
}

/** @throws WrongAnswer when it is too long; Error when it ends early. */
async function textOf({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body ?? []) {
    length += piece.length
    // Leaving the loop cancels the body.
    if (length > MAX_RESPONSE) throw new WrongAnswer(`HOOKS_URL answered with more than ${MAX_RESPONSE} bytes.`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** The reason of a failed request, which `fetch` keeps in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
