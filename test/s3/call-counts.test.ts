import { beforeEach, describe, expect, it } from '@jest/globals'
import { MemoryClaims } from '../../server/core/memory-claims.ts'
import { sourceOf } from '../../server/core/source.ts'
import { Uploads } from '../../server/core/uploads.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { bytesOf, MIB } from '../support/bytes.ts'
import { recordOf } from '../support/store-contract.ts'
import { Bucket, memoryPort } from './memory-s3.ts'
import { storeOn } from './store-on.ts'

/** What S3 charges for: the dear calls, and the cheap ones. Deletions are free. */
interface Calls {
  writes: number
  reads: number
}

const KINDS: Readonly<Record<keyof S3Port, keyof Calls | undefined>> = {
  put: 'writes',
  copy: 'writes',
  list: 'writes',
  createMultipart: 'writes',
  copyPart: 'writes',
  complete: 'writes',
  get: 'reads',
  head: 'reads',
  read: 'reads',
  remove: undefined,
  abort: undefined,
  close: undefined,
}

function counted(port: S3Port, calls: Calls): S3Port {
  return new Proxy(port, {
    get: (target, name, receiver) => {
      const kind = Object.entries(KINDS).find(([known]) => known === name)?.[1]
      if (kind !== undefined) calls[kind] += 1
      return Reflect.get(target, name, receiver)
    },
  })
}

const ID = '0123456789abcdef'.repeat(2)

describe('The calls of S3', () => {
  const calls: Calls = { writes: 0, reads: 0 }
  let bucket: Bucket
  let uploads: Uploads

  function open(): Uploads {
    return new Uploads(
      storeOn(() => counted(memoryPort(bucket), calls)).store,
      new MemoryClaims(),
      Number.POSITIVE_INFINITY,
    )
  }

  /** The calls since the last time, when nothing is under way any more. */
  async function since(): Promise<Calls> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const counted = { ...calls }
    Object.assign(calls, { writes: 0, reads: 0 })
    return counted
  }

  /** Like a PATCH of `count` bytes at the offset. */
  function append(count: number): Promise<void> {
    return uploads.use(ID, async (upload) => {
      const start = upload.offset
      const bytes = bytesOf(count)
      await upload.receiving.append({ start, end: upload.record.length ?? 0 }, sourceOf([bytes]), 'as-received')
      await upload.settle(0)
    })
  }

  beforeEach(async () => {
    bucket = new Bucket()
    uploads = open()
    await since()
  })

  it('for one PATCH are two per 8 MiB, one read, and a few more', async () => {
    await uploads.create(recordOf(ID, 64 * MIB), async () => undefined)
    await append(64 * MIB)
    const { writes, reads } = await since()
    expect(writes).toBeLessThanOrEqual(2 * 8 + 6)
    expect(reads).toBeLessThanOrEqual(8 + 3)
  })

  it('for PATCHes of 5 MiB are two and one read for each', async () => {
    await uploads.create(recordOf(ID, 100 * MIB), async () => undefined)
    await append(5 * MIB)
    await append(5 * MIB)
    await since()
    for (let i = 0; i < 10; i++) await append(5 * MIB)
    expect(await since()).toEqual({ writes: 20, reads: 10 })
  })

  it('for PATCHes of 256 KiB are little more than one and one read for each', async () => {
    await uploads.create(recordOf(ID, 100 * MIB), async () => undefined)
    for (let i = 0; i < 64; i++) await append(MIB / 4)
    await since()
    for (let i = 0; i < 64; i++) await append(MIB / 4)
    const { writes, reads } = await since()
    expect(writes).toBeLessThanOrEqual(64 * 1.08)
    // A cover has a check, too.
    expect(reads).toBeLessThanOrEqual(64 + 2)
  })

  it('for a small file in one request are two', async () => {
    await uploads.createFinished(recordOf(ID, 65_536), [bytesOf(65_536)], async () => undefined)
    expect(await since()).toEqual({ writes: 2, reads: 0 })
  })

  it('for a small file in two requests are four, and two reads', async () => {
    await uploads.create(recordOf(ID, 65_536), async () => undefined)
    await append(65_536)
    expect(await since()).toEqual({ writes: 4, reads: 2 })
  })

  it('for an opening by another process are four, and at most six reads', async () => {
    await uploads.create(recordOf(ID, 10 * MIB), async () => undefined)
    await append(5 * MIB)
    await uploads.close()
    uploads = open()
    await since()
    await uploads.use(ID, async (upload) => upload.offset)
    const { writes, reads } = await since()
    expect(writes).toBeLessThanOrEqual(4)
    expect(reads).toBeLessThanOrEqual(6)
  })

  it('for a report are one read, of an unfinished and of a finished upload', async () => {
    await uploads.create(recordOf(ID, 65_536), async () => undefined)
    await since()
    await uploads.use(ID, (upload) => upload.confirm())
    expect(await since()).toEqual({ writes: 0, reads: 1 })
    await append(65_536)
    await since()
    await uploads.use(ID, (upload) => upload.confirm())
    expect(await since()).toEqual({ writes: 0, reads: 1 })
  })

  it('for an unknown id are three reads', async () => {
    await expect(uploads.use(ID, async () => undefined)).rejects.toMatchObject({ code: 'not_found' })
    expect(await since()).toEqual({ writes: 0, reads: 3 })
  })
})
