import { randomUUID } from 'node:crypto'
import { beforeEach, expect, it } from '@jest/globals'
import { BucketNotes } from '../../server/s3/bucket-notes.ts'
import { systemClock } from '../../server/s3/clock.ts'
import type { Environment } from '../../server/s3/environment.ts'
import { senderFolder } from '../../server/s3/keys.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import { recordName } from '../../server/s3/names.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { recordOf } from '../support/store-contract.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

const HOUR = 60 * 60 * 1000

let now: number
let bucket: Bucket
beforeEach(() => {
  now = Date.parse('2026-11-27T00:00:00Z')
  bucket = new Bucket(() => now, 1)
})

function environmentOn(port: S3Port): Environment {
  return {
    port,
    bucket: 'bucket',
    prefix: '.landfall/',
    keyOf: ({ id }) => `files/${id}`,
    node: randomUUID(),
    cells: { usual: 4, smallest: 4, largestNatural: 4, largest: 8, copied: 8 },
    clock: { ...systemClock, now: () => now },
    parallel: 2,
    flushAfter: 30_000,
    budget: new MemoryBudget(1_000_000),
    keepsRejected: true,
  }
}

it('The note about a sender stays while its upload is unfinished, and for two days after its end', async () => {
  const environment = environmentOn(memoryPort(bucket))
  const store = new S3Store(environment)
  const notes = new BucketNotes(environment.port, senderFolder(environment.prefix))
  const ids = ['unfinished', 'damaged', 'finished', 'never', 'late']
  const kept = async (): Promise<readonly string[]> => {
    await store.tidy(new AbortController().signal)
    const found = await Promise.all(ids.map((id) => notes.read(`sender of ${id}`)))
    return found.filter((id) => id !== undefined)
  }
  for (const id of ['unfinished', 'damaged']) await store.create(recordOf(id, 5))
  bucket.put(`.landfall/live/damaged/${recordName(1, 0)}`, Buffer.from('{'))
  await store.createFinished(recordOf('finished', 5), [Buffer.from('hello')])
  for (const id of ids) expect(await notes.add(`sender of ${id}`, id)).toBe(true)
  expect(await notes.add('sender of late', 'another')).toBe(false)

  now += 47 * HOUR
  expect(await kept()).toEqual(ids)
  // Its upload was long under way.
  await store.createFinished(recordOf('late', 5), [Buffer.from('hello')])
  now += 2 * HOUR
  expect(await kept()).toEqual(['unfinished', 'damaged', 'late'])
  now += 48 * HOUR
  expect(await kept()).toEqual(['unfinished', 'damaged'])
})

it('A note about a sender stays that is replaced while old ones are removed', async () => {
  const port = memoryPort(bucket)
  const folder = senderFolder('.landfall/')
  const notes = new BucketNotes(port, folder)
  await notes.write('sender', 'an earlier upload')
  now += 100 * HOUR
  const replacing: S3Port = {
    ...port,
    list: async (prefix, options) => {
      const page = await port.list(prefix, options)
      if (prefix === folder) await notes.write('sender', 'the next upload')
      return page
    },
  }
  await new S3Store(environmentOn(replacing)).tidy(new AbortController().signal)
  expect(await notes.read('sender')).toBe('the next upload')
})
