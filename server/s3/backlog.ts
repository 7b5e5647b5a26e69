import type { Backlog, DeadLetter } from '../core/written-event.ts'
import { BucketDeadLetters } from './dead-letters.ts'
import type { Environment } from './environment.ts'
import { EventList, type ListedEvent } from './event-objects.ts'
import { eventFolder } from './keys.ts'
import { listAll } from './list-all.ts'

/** How many dead letters are read at a time. */
const PARALLEL = 16

/**
 * Lists what endpoints have not received. Nodes may be using the bucket. An event is pending from the moment on at
 * which it is written, which is right before its change.
 *
 * @param endpoints those that only dead letters name are added.
 * @throws S3Error
 */
export async function readBucketBacklogs(
  environment: Environment,
  endpoints: readonly string[],
): Promise<readonly Backlog[]> {
  const pending = new Map(endpoints.map((endpoint) => [endpoint, { count: 0, age: 0 }]))
  const list = new EventList(environment)
  while (!list.isOver) {
    const events = (await list.next()).flatMap((upload) => upload.events)
    for (const [endpoint, counts] of pending) {
      const due = events.filter(({ sent }) => !sent.has(endpoint))
      counts.count += due.length
      counts.age = Math.max(counts.age, ...due.map(ageOf))
    }
  }
  const dead = await deadLetters(environment)
  const now = environment.clock.now()
  return [...new Set([...endpoints, ...dead.map(({ only }) => only)])].map((endpoint) => {
    const { count, age } = pending.get(endpoint) ?? { count: 0, age: 0 }
    return {
      endpoint,
      pending: count,
      oldest: count > 0 ? new Date(now - age) : undefined,
      dead: dead.filter(({ only }) => only === endpoint),
    }
  })
}

/** Whether any event waits in the bucket. @throws S3Error */
export async function hasUndelivered({ port, prefix }: Environment): Promise<boolean> {
  for await (const _ of listAll(port, eventFolder(prefix))) return true
  return false
}

function ageOf({ copies }: ListedEvent): number {
  return Math.max(...copies.map(({ age }) => age))
}

async function deadLetters(environment: Environment): Promise<readonly DeadLetter[]> {
  const letters = new BucketDeadLetters(environment)
  const names = await letters.names()
  const found: DeadLetter[] = []
  for (let i = 0; i < names.length; i += PARALLEL) {
    const some = await Promise.all(names.slice(i, i + PARALLEL).map((name) => letters.read(name)))
    found.push(...some.flatMap((letter) => letter ?? []))
  }
  return found
}
