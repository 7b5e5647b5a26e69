import type { Context, Middleware } from 'koa'
import { clientOf } from '../http/address-limits.ts'

/** Shorter responses are not counted, in bytes: an idle connection costs as much. */
const MIN_COUNTED_BYTES = 16 * 1024
/** Methods whose responses are never longer. */
const SMALL_ONLY: ReadonlySet<string> = new Set(['HEAD', 'PATCH', 'DELETE'])
/** Maximum bytes of unread responses, per client and in total. */
const MAX_BYTES_PER_CLIENT = 16 * 1024 * 1024
const MAX_BYTES = 64 * 1024 * 1024

interface UnreadResponse {
  readonly client: string
  readonly bytes: number
  readonly drop: () => void
}

/**
 * Tracks responses that are buffered in memory until their client has read them or disconnected. Above the limits, it
 * closes connections with unread responses: the oldest of that client, or of the client that holds the most. A client
 * that reads keeps its responses.
 */
export function trackResponses(): Middleware {
  const responses = new UnreadResponses()
  const tracked: Middleware = async (ctx, next) => {
    await next()
    const { body } = ctx
    if (typeof body === 'string' && body.length >= MIN_COUNTED_BYTES) responses.add(ctx, body)
  }
  return (ctx, next) => (SMALL_ONLY.has(ctx.method) ? next() : tracked(ctx, next))
}

class UnreadResponses {
  /** In order of creation. */
  readonly #unread = new Set<UnreadResponse>()
  readonly #byClient = new Map<string, number>()
  #bytes = 0

  add({ ip, res }: Pick<Context, 'ip' | 'res'>, text: string): void {
    // Koa keeps the text while its bytes are being sent.
    const bytes = 2 * Buffer.byteLength(text)
    const response: UnreadResponse = { client: clientOf(ip), bytes, drop: () => res.destroy() }
    this.#unread.add(response)
    this.#count(response, bytes)
    res.once('close', () => this.#remove(response))
    while ((this.#byClient.get(response.client) ?? 0) > MAX_BYTES_PER_CLIENT) {
      if (!this.#dropOldest(response.client, response)) break
    }
    while (this.#bytes > MAX_BYTES) if (!this.#dropOldest(this.#greatest(), response)) break
  }

  /** @param newest is kept, whatever its size. @returns whether a response was dropped. */
  #dropOldest(client: string, newest: UnreadResponse): boolean {
    for (const response of this.#unread) {
      if (response.client !== client || response === newest) continue
      this.#remove(response)
      response.drop()
      return true
    }
    return false
  }

  #remove(response: UnreadResponse): void {
    if (this.#unread.delete(response)) this.#count(response, -response.bytes)
  }

  #count({ client }: UnreadResponse, bytes: number): void {
    this.#bytes += bytes
    const held = (this.#byClient.get(client) ?? 0) + bytes
    if (held > 0) this.#byClient.set(client, held)
    else this.#byClient.delete(client)
  }

  #greatest(): string {
    return [...this.#byClient].reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0] as const)[0]
  }
}
