import type { Backlog, DeadLetter } from '../core/written-event.ts'
import { DeadLetters } from './dead-letters.ts'
import { eventIn, linesIn } from './lines.ts'
import { loadSegments } from './load-segments.ts'

/**
 * Reads what endpoints have not received. A service may be using the folder.
 *
 * @param folder that of the outbox.
 * @param endpoints at most `MAX_ENDPOINTS`. Those that only dead letters name are added.
 * @throws the OS error.
 */
export async function readBacklogs(folder: string, endpoints: readonly string[]): Promise<readonly Backlog[]> {
  const pending = endpoints.map(() => ({ count: 0, oldest: Number.POSITIVE_INFINITY }))
  for (const segment of (await loadSegments({ folder, endpoints, onNotice: () => undefined })).values()) {
    const bytes = await segment.bytes()
    for (const line of linesIn(bytes)) {
      if (line.kind !== 'intent' || segment.isOver(line.index) || !segment.isConfirmed(line.index)) continue
      const event = eventIn(bytes, line)
      if (event === undefined) continue
      for (const [place, endpoint] of endpoints.entries()) {
        const counts = pending[place]
        const isDue = (event.only ?? endpoint) === endpoint && !segment.isDelivered(line.index, place)
        if (counts === undefined || !isDue) continue
        counts.count += 1
        counts.oldest = Math.min(counts.oldest, event.at)
      }
    }
  }
  const dead = await deadLetters(folder)
  const names = new Set([...endpoints, ...dead.map(({ only }) => only)])
  return [...names].map((endpoint, place) => {
    const { count = 0, oldest = 0 } = pending[place] ?? {}
    return {
      endpoint,
      pending: count,
      oldest: count > 0 ? new Date(oldest) : undefined,
      dead: dead.filter(({ only }) => only === endpoint),
    }
  })
}

/** How many events wait in a folder that no endpoint may read any more. @throws the OS error. */
export async function countUndelivered(folder: string): Promise<number> {
  let count = 0
  for (const segment of (await loadSegments({ folder, endpoints: [], onNotice: () => undefined })).values()) {
    count += segment.confirmed
  }
  return count
}

async function deadLetters(folder: string): Promise<readonly DeadLetter[]> {
  const letters = new DeadLetters(folder)
  const found: DeadLetter[] = []
  for (const name of await letters.names()) {
    const letter = await letters.read(name)
    if (letter !== undefined) found.push(letter)
  }
  return found
}
