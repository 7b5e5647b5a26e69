import { setTimeout as pause } from 'node:timers/promises'
import type { UploadRecord } from '../../server/core/record.ts'
import type { EventReceiver, Story } from './event-receiver.ts'
import { Violation } from './model.ts'
import type { EventFacts } from './storage.ts'

/** How long the last events may take, in milliseconds: an attempt that failed is repeated after 6 seconds. */
const LONGEST_DELIVERY = 60_000

/**
 * Compares what a receiver of webhooks has with the uploads of an idle program.
 *
 * @throws Violation unless each upload has exactly its events, in order.
 */
export async function checkEvents(receiver: EventReceiver, facts: EventFacts): Promise<void> {
  let wrong: readonly string[] = []
  for (let waited = 0; waited < LONGEST_DELIVERY; waited += 100) {
    wrong = await differences(receiver.stories, facts)
    if (wrong.length === 0) return
    await pause(100)
  }
  throw new Violation(`Events differ from uploads: ${wrong.join('; ')}`)
}

async function differences(stories: readonly Story[], facts: EventFacts): Promise<readonly string[]> {
  const wrong: string[] = []
  const expected = new Map<string, readonly string[]>()
  for (const { record, isFinished } of await facts.records()) {
    expected.set(`${record.id} ${record.createdAt}`, eventsOf(record, isFinished))
  }
  const told = new Set<string>()
  for (const { id, createdAt, types } of stories) {
    const key = `${id} ${createdAt}`
    const wanted = expected.get(key)
    expected.delete(key)
    if (wanted === undefined && !isOver(types)) wrong.push(`${key} is gone, but had ${types}`)
    if (wanted !== undefined && String(wanted) !== String(types)) wrong.push(`${key} had ${types}, not ${wanted}`)
    if (wanted === undefined) told.add(id)
  }
  for (const [key, wanted] of expected) wrong.push(`${key} had nothing, not ${wanted}`)
  for (const id of await facts.gone()) if (!told.has(id)) wrong.push(`nothing said that ${id} is gone`)
  return wrong
}

/** The events of an upload that was removed: its creation first, its removal last. */
function isOver(types: readonly string[]): boolean {
  const removals = types.filter((type) => type === 'upload.deleted' || type === 'upload.expired')
  return types[0] === 'upload.created' && removals.length === 1 && types.at(-1) === removals[0]
}

function eventsOf({ failed }: UploadRecord, isFinished: boolean): readonly string[] {
  if (failed !== undefined) return ['upload.created', failed.code === 'rejected' ? 'upload.rejected' : 'upload.failed']
  return ['upload.created', ...(isFinished ? ['upload.finished'] : [])]
}
