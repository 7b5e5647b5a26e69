import type { Context, Middleware } from 'koa'
import { clientOf } from './address-limits.ts'

/** Shorter responses are not counted, in bytes: an idle connection costs as much. */
const SHORT = 16 * 1024
/** Maximum bytes of unread responses, per client and in total. */
const MOST_OF_CLIENT = 16 * 1024 * 1024
const MOST = 64 * 1024 * 1024

interface Answer {
  readonly client: string
  readonly bytes: number
  readonly giveUp: () => void
}

/**
 * Tracks responses that are buffered in memory until their client has read them or disconnected. Above the limits, it closes
 * connections with unread responses: the oldest of that client, or of the client that holds the most. A client that
 * reads keeps its responses.
 */
export function boundAnswers(): Middleware {
  const answers = new UntakenAnswers()
  return async (ctx, next) => {
    await next()
    const { body } = ctx
    if (typeof body === 'string' && body.length >= SHORT) answers.add(ctx, body)
  }
}

class UntakenAnswers {
  /** In order of creation. */
  readonly #untaken = new Set<Answer>()
  readonly #byClient = new Map<string, number>()
  #bytes = 0

  add({ ip, res }: Pick<Context, 'ip' | 'res'>, text: string): void {
    // Koa keeps the text while its bytes are being sent.
    const bytes = 2 * Buffer.byteLength(text)
    const answer: Answer = { client: clientOf(ip), bytes, giveUp: () => res.destroy() }
    this.#untaken.add(answer)
    this.#count(answer, bytes)
    res.once('close', () => this.#remove(answer))
    while ((this.#byClient.get(answer.client) ?? 0) > MOST_OF_CLIENT) {
      if (!this.#giveUpOldest(answer.client, answer)) break
    }
    while (this.#bytes > MOST) if (!this.#giveUpOldest(this.#greatest(), answer)) break
  }

  /** @param newest is kept, whatever its size. @returns whether a response was dropped. */
  #giveUpOldest(client: string, newest: Answer): boolean {
    for (const answer of this.#untaken) {
      if (answer.client !== client || answer === newest) continue
      this.#remove(answer)
      answer.giveUp()
      return true
    }
    return false
  }

  #remove(answer: Answer): void {
    if (this.#untaken.delete(answer)) this.#count(answer, -answer.bytes)
  }

  #count({ client }: Answer, bytes: number): void {
    this.#bytes += bytes
    const held = (this.#byClient.get(client) ?? 0) + bytes
    if (held > 0) this.#byClient.set(client, held)
    else this.#byClient.delete(client)
  }

  #greatest(): string {
    return [...this.#byClient].reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0] as const)[0]
  }
}
