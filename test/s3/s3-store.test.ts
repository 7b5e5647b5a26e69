import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import { cellSizes } from '../../server/s3/cells.ts'
import { systemClock } from '../../server/s3/clock.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { put, recordOf, type StoreUnderTest, storeContract } from '../support/store-contract.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

/** A store in a bucket, each time as another process. */
export function storeOn(port: S3Port): StoreUnderTest {
  const open = (): S3Store =>
    new S3Store({
      port,
      bucket: 'bucket',
      prefix: '.landfall/',
      keyOf: ({ id, fileName }) => `files/${id}/${fileName}`,
      node: NODE,
      cells: cellSizes(8 * 1024 * 1024),
      clock: systemClock,
      parallel: 4,
      flushAfter: 30_000,
      budget: new MemoryBudget(256 * 1024 * 1024),
      keepsRejected: true,
    })
  const under: StoreUnderTest = {
    store: open(),
    reopen: async () => {
      await under.store.close()
      under.store = open()
    },
    dispose: () => under.store.close(),
  }
  return under
}

/** The same after a reopen: the store of another process would wait until its predecessor has been silent. */
const NODE = randomUUID()

describe('The S3 store on a bucket in memory', () => {
  storeContract(async () => storeOn(memoryPort(new Bucket())))
})

describe('An upload in S3 of many tiny pieces', () => {
  it('has few objects, and all bytes', async () => {
    const bucket = new Bucket()
    const under = storeOn(memoryPort(bucket))
    const upload = await under.store.create(recordOf('tiny', 5000))
    const content = Array.from({ length: 5000 }, (_, i) => String(i % 10)).join('')
    for (let i = 0; i < 5000; i++) await put(upload, i, content.slice(i, i + 1), 'as-received')
    await upload.close()
    const names = [...bucket.objects.keys()].filter((key) => key.startsWith('.landfall/live/tiny/d.'))
    expect(names.length).toBeLessThan(200)
    await under.reopen()
    const found = await under.store.open('tiny')
    if (found.kind !== 'upload') throw new Error(found.kind)
    expect(await text(found.upload.read({ start: 0, end: 5000 }))).toBe(content)
    await found.upload.finish()
    expect(await text(found.upload.read({ start: 0, end: 5000 }))).toBe(content)
  })
})
