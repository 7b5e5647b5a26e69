import { randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import type { StoredUpload } from '../../server/core/store.ts'
import { systemClock } from '../../server/s3/clock.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import { claimName, manifestName, pieceName } from '../../server/s3/names.ts'
import { S3Error } from '../../server/s3/s3-error.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { put, recordOf } from '../support/store-contract.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

const DAY = 24 * 60 * 60 * 1000
const PREFIX = '.landfall/'
const ID = '0123456789abcdef0123456789abcdef'
const FOLDER = `${PREFIX}live/${ID}/`
/** One node: others wait before they claim a term. */
const NODE = randomUUID()

/** A bucket whose clock the test sets, and stores of several processes on it. */
class Site {
  /** Milliseconds since 1970. */
  now = Date.parse('2026-11-27T00:00:00Z')
  readonly bucket = new Bucket(() => this.now, 1)

  /** @param ahead how far the clock of the host is ahead, in milliseconds. */
  store(change: Partial<S3Port> = {}, ahead = 0): S3Store {
    return new S3Store({
      port: { ...memoryPort(this.bucket), ...change },
      bucket: 'bucket',
      prefix: PREFIX,
      keyOf: ({ id, fileName }) => `files/${id}/${fileName}`,
      node: NODE,
      cells: { usual: 4, smallest: 4, largestNatural: 4, largest: 8, copied: 8 },
      clock: { ...systemClock, now: () => this.now + ahead },
      parallel: 2,
      flushAfter: 30_000,
      budget: new MemoryBudget(1_000_000),
      keepsRejected: true,
    })
  }

  /** A store of a process that stops before it puts an object with this name. */
  stopping(name: string): { store: S3Store; stopped: Promise<void>; wake: () => void } {
    const stopped = new Signal()
    const woken = new Signal()
    const { put: putNow } = memoryPort(this.bucket)
    const store = this.store({
      put: async (key, body, options) => {
        if (key.endsWith(name)) {
          stopped.give()
          await woken.given
        }
        return putNow(key, body, options)
      },
    })
    return { store, stopped: stopped.given, wake: () => woken.give() }
  }

  /** Puts a piece of an attempt in term 1, as a slow request does. */
  land(index: number, isLast: boolean, start: number, content: string): void {
    const body = Buffer.from(content)
    const facts = { term: 1, token: '00000000000000aa', index, isLast, isCover: false, start, end: start + body.length }
    this.bucket.put(`${FOLDER}${pieceName(facts)}`, body)
  }

  removeAll(matching: string): void {
    this.bucket.remove([...this.bucket.objects.keys()].filter((key) => key.includes(matching)))
  }
}

class Signal {
  give: () => void = () => undefined
  readonly given = new Promise<void>((resolve) => {
    this.give = resolve
  })
}

async function opened(store: S3Store): Promise<StoredUpload> {
  const found = await store.open(ID)
  if (found.kind !== 'upload') throw new Error(`The upload is ${found.kind}.`)
  return found.upload
}

async function contentOf(upload: StoredUpload): Promise<string> {
  return (await buffer(upload.read({ start: 0, end: upload.record.length ?? 0 }))).toString()
}

/** Until work in the background is over: the bucket answers at once. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
}

describe('a process that opens an upload slowly', () => {
  it('deletes nothing that a faster one counts', async () => {
    const site = new Site()
    await site.store().create(recordOf(ID, 8))
    site.land(0, false, 0, 'abcd')
    const slow = site.stopping(manifestName(2))
    const opening = slow.store.open(ID)
    await slow.stopped
    // The slow process has listed half of the attempt.
    site.land(1, true, 4, 'efgh')
    const fast = await opened(site.store())
    expect(fast.received).toEqual([{ start: 0, end: 8 }])
    slow.wake()
    await opening
    await settled()
    const last = await opened(site.store())
    expect(last.received).toEqual([{ start: 0, end: 8 }])
    expect(await contentOf(last)).toBe('abcdefgh')
  })

  it('finds its term over if it has slept until the claims after it are gone', async () => {
    const site = new Site()
    await put(await site.store().create(recordOf(ID, 8)), 0, 'abcd', 'as-received')
    const slow = site.stopping(manifestName(2))
    const opening = opened(slow.store)
    await slow.stopped
    const fast = await opened(site.store())
    await put(fast, 4, 'efgh', 'as-received')
    await fast.finish()
    await settled()
    site.now += 3 * DAY
    site.removeAll('/c.')
    slow.wake()
    await expect((await opening).confirm()).rejects.toMatchObject({ code: 'moved' })
    expect((await opened(site.store())).finished).toBe(true)
  })
})

describe('a process that has slept for days', () => {
  it('counts nothing, even if its clock was wrong when it created the upload', async () => {
    const site = new Site()
    const upload = await site.store({}, 10 * DAY).create(recordOf(ID, 8))
    site.now += 3 * DAY
    await expect(put(upload, 0, 'abcd', 'as-received')).rejects.toMatchObject({ code: 'moved' })
    expect(upload.moved).toBe(true)
  })
})

describe('a process that finishes an upload', () => {
  it('finds it finished by another one, which has deleted the pieces', async () => {
    const site = new Site()
    const slow = await site.store().create(recordOf(ID, 8))
    await put(slow, 0, 'abcd', 'as-received')
    await put(slow, 4, 'efgh', 'as-received')
    await settled()
    await (await opened(site.store())).finish()
    await settled()
    await slow.finish()
    expect(slow.finished).toBe(true)
    expect(await contentOf(slow)).toBe('abcdefgh')
  })

  it('finds it removed by another one', async () => {
    const site = new Site()
    const slow = await site.store().create(recordOf(ID, 4))
    await put(slow, 0, 'abcd', 'as-received')
    await (await opened(site.store())).remove('deleted')
    await expect(slow.finish()).rejects.toMatchObject({ code: 'gone' })
    expect(await site.store().open(ID)).toMatchObject({ kind: 'gone' })
  })

  it('aborts a multipart upload that no record of its term has', async () => {
    const site = new Site()
    let begun = 0
    const store = site.store({
      createMultipart: async (key, options) => {
        begun += 1
        // Another process opens the upload meanwhile.
        site.bucket.put(`${FOLDER}${claimName(2)}`, Buffer.from(JSON.stringify({ node: NODE, token: 'b' })))
        return site.bucket.createMultipart(key, options)
      },
    })
    const upload = await store.create(recordOf(ID, 8))
    await put(upload, 0, 'abcd', 'as-received')
    await settled()
    expect({ begun, isOpen: site.bucket.multiparts.size > 0, moved: upload.moved }).toEqual({
      begun: 1,
      isOpen: false,
      moved: true,
    })
  })
})

describe('an upload whose first record may have been written', () => {
  it('is not removed without a trace', async () => {
    const site = new Site()
    const { put: putNow } = memoryPort(site.bucket)
    let isLost = true
    const store = site.store({
      put: async (key, body, options) => {
        const answer = await putNow(key, body, options)
        if (isLost) throw new S3Error('unknown', 'The answer was lost.')
        return answer
      },
    })
    const upload = await store.create(recordOf(ID, 4), true)
    await expect(put(upload, 0, 'abcd', 'as-received')).rejects.toMatchObject({ code: 'storage_error' })
    isLost = false
    await expect(upload.remove('deleted')).rejects.toMatchObject({ code: 'moved' })
    await (await opened(store)).remove('deleted')
    expect(await store.open(ID)).toMatchObject({ kind: 'gone' })
  })
})
