import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { UploadRecord } from '../../server/core/record.ts'
import { systemClock } from '../../server/s3/clock.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { put, recordOf } from '../support/store-contract.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

const ID = '0123456789abcdef0123456789abcdef'

/** A bucket of several nodes, in which time passes only while one of them waits. */
class Site {
  /** Milliseconds since 1970. */
  now = Date.parse('2026-11-27T00:00:00Z')
  waited = 0
  readonly #bucket = new Bucket(() => this.now, 1)

  /** A store of another node than all before. */
  node(): S3Store {
    const sleep = async (milliseconds: number): Promise<void> => {
      this.waited += milliseconds
      this.now += milliseconds
    }
    return new S3Store({
      bucket: 'bucket',
      port: memoryPort(this.#bucket),
      prefix: '.landfall/',
      keyOf: ({ id, fileName }) => `files/${id}/${fileName}`,
      node: randomUUID(),
      cells: { usual: 4, smallest: 4, largestNatural: 4, largest: 8, copied: 8 },
      clock: { ...systemClock, now: () => this.now, sleep },
      parallel: 2,
      flushAfter: 30_000,
      budget: new MemoryBudget(1_000_000),
      keepsRejected: true,
    })
  }
}

/** How long another node waits before it opens an upload, in milliseconds. */
async function waitFor(record: UploadRecord, bytes: string): Promise<number> {
  const site = new Site()
  const upload = await site.node().create(record)
  if (bytes !== '') await put(upload, 0, bytes, 'as-received')
  expect((await site.node().open(record.id)).kind).toBe('upload')
  return site.waited
}

describe('A node that gets a request for an upload of another node', () => {
  it('continues it at once if it was only created', async () => {
    expect(await waitFor(recordOf(ID, 8), '')).toBe(0)
  })

  it('waits until the other has claimed it 10 s ago if bytes have arrived', async () => {
    expect(await waitFor(recordOf(ID, 8), 'abcd')).toBe(10_000)
  })

  it('waits for it if its id comes again: then several nodes may have just created it', async () => {
    expect(await waitFor(recordOf('a.b.c', 8), '')).toBe(10_000)
  })
})
