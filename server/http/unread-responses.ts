import type { Context } from 'koa'
import { clientOf } from './address-limits.ts'

/** Shorter responses are not counted, in bytes: an idle connection costs as much. */
export const SHORT_RESPONSE = 16 * 1024
/** Maximum bytes of unread responses, per client and in total. */
const MOST_OF_CLIENT = 16 * 1024 * 1024
const MOST = 64 * 1024 * 1024

interface Answer {
  readonly client: string
  readonly bytes: number
  readonly giveUp: () => void
}

/** In order of creation. */
const unread = new Set<Answer>()
const byClient = new Map<string, number>()
let all = 0

/**
 * Tracks a response that is buffered in memory until its client has read it or disconnected. Above the limit, it closes
 * connections with unread responses: the oldest of that client, or of the client that holds the most. A client that
 * reads keeps its responses.
 */
export function trackResponse({ ip, res }: Pick<Context, 'ip' | 'res'>, text: string): void {
  if (text.length < SHORT_RESPONSE) return
  // Koa keeps the text while its bytes are being sent.
  const bytes = 2 * Buffer.byteLength(text)
  const answer: Answer = { client: clientOf(ip), bytes, giveUp: () => res.destroy() }
  add(answer, bytes)
  unread.add(answer)
  res.once('close', () => {
    if (unread.delete(answer)) add(answer, -bytes)
  })
  while ((byClient.get(answer.client) ?? 0) > MOST_OF_CLIENT) if (!giveUpOldest(answer.client, answer)) break
  while (all > MOST) if (!giveUpOldest(greatest(), answer)) break
}

function add({ client }: Answer, bytes: number): void {
  all += bytes
  const held = (byClient.get(client) ?? 0) + bytes
  if (held > 0) byClient.set(client, held)
  else byClient.delete(client)
}

/** @param newest is kept, whatever its size. @returns whether a response was dropped. */
function giveUpOldest(client: string, newest: Answer): boolean {
  for (const answer of unread) {
    if (answer.client !== client || answer === newest) continue
    unread.delete(answer)
    add(answer, -answer.bytes)
    answer.giveUp()
    return true
  }
  return false
}

function greatest(): string {
  return [...byClient].reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0] as const)[0]
}
