import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { UploadError } from '../../server/core/errors.ts'
import { MemoryClaims } from '../../server/core/memory-claims.ts'
import type { Source } from '../../server/core/source.ts'
import type { Attempt, Found, Store, StoredUpload } from '../../server/core/store.ts'
import type { Upload } from '../../server/core/upload.ts'
import { Uploads } from '../../server/core/uploads.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { temporaryFolder } from '../support/folder.ts'
import { recordOf } from '../support/store-contract.ts'

/** How long a write takes in these tests, in milliseconds. */
const SLOW = 500

/**
 * The disk store, but writes and removals return late, as on a busy disk; `log` records their begin and end, in order.
 */
function slow(store: DiskStore, log: string[]): Store {
  const slowUpload = (upload: StoredUpload): StoredUpload =>
    new Proxy(upload, {
      get: (target, key) => {
        if (key === 'begin')
          return async (...args: Parameters<StoredUpload['begin']>) => slowAttempt(await target.begin(...args))
        if (key === 'finish') {
          return async () => {
            log.push('finish begins')
            await target.finish()
          }
        }
        if (key === 'remove') {
          return async (...args: Parameters<StoredUpload['remove']>) => {
            log.push('removal begins')
            await new Promise((resolve) => setTimeout(resolve, SLOW))
            await target.remove(...args)
            log.push('removal returned')
          }
        }
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const slowAttempt = (attempt: Attempt): Attempt => ({
    isDue: attempt.isDue,
    write: async (buffers) => {
      const text = Buffer.concat([...buffers]).toString()
      log.push(`write of ${text} begins`)
      await new Promise((resolve) => setTimeout(resolve, SLOW))
      await attempt.write(buffers)
      log.push(`write of ${text} returned`)
    },
    commit: () => attempt.commit(),
    discard: () => attempt.discard(),
  })
  return {
    create: async (record) => slowUpload(await store.create(record)),
    createFinished: async (record, bytes) => slowUpload(await store.createFinished(record, bytes)),
    createFrom: (record, source) => store.createFrom(record, source),
    open: async (id): Promise<Found> => {
      const found = await store.open(id)
      return found.kind === 'upload' ? { kind: 'upload', upload: slowUpload(found.upload) } : found
    },
    group: (group) => store.group(group),
    newest: (start, most) => store.newest(start, most),
    maxLength: store.maxLength,
    idleKept: store.idleKept,
    isShared: store.isShared,
    unfinished: () => store.unfinished(),
    due: () => store.due(),
    tidy: () => store.tidy(),
    lastChange: (id) => store.lastChange(id),
    gone: (deadline) => store.gone(deadline),
    goneSince: (id) => store.goneSince(id),
    forget: (id) => store.forget(id),
    space: () => store.space(),
    partitions: () => store.partitions(),
    partition: (name) => store.partition(name),
    partitionOf: (id) => store.partitionOf(id),
    pathOf: (record, isFinished) => store.pathOf(record, isFinished),
    summary: (id) => store.summary(id),
    close: async () => {
      log.push('store closes')
      await store.close()
    },
  }
}

/** A client that sends one piece and then ends, or hangs until it is cancelled. */
function sends(text: string, then: 'ends' | 'hangs'): Source {
  let given = false
  let giveUp: ((reason: Error) => void) | undefined
  let cancelled: Error | undefined
  return {
    read: async () => {
      if (cancelled !== undefined) throw cancelled
      if (!given) {
        given = true
        return [Buffer.from(text)]
      }
      if (then === 'ends') return null
      return new Promise((_, reject) => {
        giveUp = reject
      })
    },
    cancel: (reason) => {
      cancelled = reason
      giveUp?.(reason)
    },
    waitingSince: undefined,
  }
}

describe('A put that is ended during its write', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let uploads: Uploads
  const log: string[] = []

  beforeEach(async () => {
    log.length = 0
    folder = await temporaryFolder()
    const store = await DiskStore.open({
      directory: folder.path,
      sync: 'finish',
      boot: 'boot',
      onNotice: () => undefined,
    })
    uploads = new Uploads(slow(store, log), new MemoryClaims(), Number.POSITIVE_INFINITY)
  })
  afterEach(async () => {
    await uploads.close()
    await folder.dispose()
  })

  /** Waits until the log has the entry. */
  async function logged(entry: string): Promise<void> {
    while (!log.includes(entry)) await new Promise((resolve) => setImmediate(resolve))
  }

  async function withUpload(length: number, work: (upload: Upload) => Promise<void>): Promise<void> {
    await uploads.create(recordOf('upload', length), work)
  }

  it('makes a newer stream wait for that write, whose bytes count', async () => {
    await withUpload(10, async (upload) => {
      const older = upload.receiving.append({ start: 0, end: 10 }, sends('OLDER', 'hangs'), 'as-received')
      older.catch(() => undefined)
      await logged('write of OLDER begins')
      const newer = upload.receiving.append({ start: 5, end: 10 }, sends('newer', 'ends'), 'as-received')
      await expect(older).rejects.toMatchObject({ code: 'superseded' })
      await newer
      await upload.finish()
    })
    expect(log).toEqual([
      'write of OLDER begins',
      'write of OLDER returned',
      'write of newer begins',
      'write of newer returned',
      'finish begins',
    ])
    expect(await readFile(path.join(folder.path, 'files', 'upload', 'a.txt'), 'utf8')).toBe('OLDERnewer')
  })

  it('makes a second copy of a chunk wait for that write', async () => {
    await withUpload(5, async (upload) => {
      const range = { start: 0, end: 5 }
      const source = sends('CHUNK', 'hangs')
      const older = upload.receiving.put(range, source)
      older.catch(() => undefined)
      await logged('write of CHUNK begins')
      const newer = upload.receiving.put(range, sends('chunk', 'ends'))
      source.cancel(new UploadError('connection_closed', 'The socket was closed.'))
      await expect(older).rejects.toMatchObject({ code: 'connection_closed' })
      await newer
      await upload.finish()
    })
    expect(log).toEqual([
      'write of CHUNK begins',
      'write of CHUNK returned',
      'write of chunk begins',
      'write of chunk returned',
      'finish begins',
    ])
    expect(await readFile(path.join(folder.path, 'files', 'upload', 'a.txt'), 'utf8')).toBe('chunk')
  })

  it('makes the removal of the upload wait for that write', async () => {
    await withUpload(10, async (upload) => {
      const put = upload.receiving.append({ start: 0, end: 10 }, sends('bytes', 'hangs'), 'as-received')
      put.catch(() => undefined)
      await logged('write of bytes begins')
      await upload.remove('deleted')
      expect(log).toContain('write of bytes returned')
      await expect(put).rejects.toMatchObject({ code: 'gone' })
      expect(upload.state).toBe('gone')
    })
    await expect(uploads.use('upload', async () => undefined)).rejects.toMatchObject({ code: 'gone' })
  })

  it('makes the store wait for a running sweep before it closes', async () => {
    await withUpload(10, async () => undefined)
    const sweep = uploads.sweeps.expire(new Date(Date.now() + 60_000))
    await logged('removal begins')
    await uploads.close()
    expect(log).toEqual(['removal begins', 'removal returned', 'store closes'])
    await sweep
  })
})
