import type { Context } from 'koa'
import { clientOf } from './address-limits.ts'

/** Answers that are shorter than this are not counted, in bytes: a connection that waits costs as much. */
export const SHORT_ANSWER = 16 * 1024
/** How many bytes of answers the process holds at most that their clients have not taken, for one client and in all. */
const MOST_OF_CLIENT = 16 * 1024 * 1024
const MOST = 64 * 1024 * 1024

interface Answer {
  readonly client: string
  readonly bytes: number
  readonly giveUp: () => void
}

/** In the order in which they were made. */
const untaken = new Set<Answer>()
const byClient = new Map<string, number>()
let all = 0

/**
 * Counts an answer that was built in memory until its client has taken it, or has gone. When too much is held, answers are given up
 * with their connections, the oldest of the client first that holds too much, or the most: whoever reads its answers keeps them.
 */
export function countAnswer({ ip, res }: Pick<Context, 'ip' | 'res'>, text: string): void {
  if (text.length < SHORT_ANSWER) return
  // Koa keeps the text as long as its bytes are on their way.
  const bytes = 2 * Buffer.byteLength(text)
  const answer: Answer = { client: clientOf(ip), bytes, giveUp: () => res.destroy() }
  add(answer, bytes)
  untaken.add(answer)
  res.once('close', () => {
    if (untaken.delete(answer)) add(answer, -bytes)
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

/** @param newest is kept: a single one may be as large as it is. @returns whether there was one to give up. */
function giveUpOldest(client: string, newest: Answer): boolean {
  for (const answer of untaken) {
    if (answer.client !== client || answer === newest) continue
    untaken.delete(answer)
    add(answer, -answer.bytes)
    answer.giveUp()
    return true
  }
  return false
}

function greatest(): string {
  return [...byClient].reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0] as const)[0]
}
