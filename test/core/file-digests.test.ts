import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Concatenation } from '../../server/core/concatenation.ts'
import { MemoryClaims } from '../../server/core/memory-claims.ts'
import type { Source } from '../../server/core/source.ts'
import type { Found, Store, StoredUpload } from '../../server/core/store.ts'
import { Uploads } from '../../server/core/uploads.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'

/** The disk store, but reading its files never ends; `onRead` is called when a read has begun. */
function endless(store: DiskStore, onRead: () => void): Store {
  const endlessUpload = (upload: StoredUpload): StoredUpload =>
    new Proxy(upload, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key)
        if (key === 'read') return () => zeros(onRead)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return {
    create: async (record) => endlessUpload(await store.create(record)),
    createFinished: (record, bytes) => store.createFinished(record, bytes),
    createFrom: (record, source) => store.createFrom(record, source),
    open: async (id): Promise<Found> => {
      const found = await store.open(id)
      return found.kind === 'upload' ? { kind: 'upload', upload: endlessUpload(found.upload) } : found
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
    close: () => store.close(),
  }
}

async function* zeros(onRead: () => void): AsyncGenerator<Buffer> {
  for (;;) {
    onRead()
    await new Promise((resolve) => setImmediate(resolve))
    yield Buffer.alloc(1)
  }
}

/** One piece of this many bytes. */
function bytes(length: number): Source {
  let left: Buffer | undefined = Buffer.alloc(length)
  return {
    read: async () => {
      const next = left
      left = undefined
      return next === undefined ? null : [next]
    },
    cancel: () => undefined,
    waitingSince: undefined,
  }
}

/** Bytes. */
const LENGTH = 1_000_000
const sha256 = '0'.repeat(64)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let uploads: Uploads
let concatenation: Concatenation
/** Resolves when the comparison has begun. */
let reading: Promise<void>

beforeEach(async () => {
  folder = await temporaryFolder()
  const store = await DiskStore.open({
    directory: folder.path,
    sync: 'never',
    boot: 'boot',
    onNotice: () => undefined,
  })
  reading = new Promise((resolve) => {
    uploads = new Uploads(endless(store, resolve), new MemoryClaims(), Number.POSITIVE_INFINITY)
  })
  concatenation = new Concatenation(uploads, 'secret')
})
afterEach(async () => {
  await concatenation.close()
  await uploads.close()
  await folder.dispose()
})

/** Creates an upload whose file is being compared with the announced digest. @returns the outcome. */
function compared(): Promise<unknown> {
  const making = uploads.create({ ...recordOf('file', LENGTH), metadata: { sha256 } }, async (upload) => {
    // Such bytes do not arrive in order: they are read for the digest.
    await upload.receiving.append({ start: 0, end: LENGTH }, bytes(LENGTH), 'when-verified')
    await upload.finish()
  })
  return making.then(
    () => 'finished',
    (error: unknown) => error,
  )
}

describe('A file whose digest computation never ends', () => {
  it('can be deleted', async () => {
    const outcome = compared()
    await reading
    await uploads.use('file', (upload) => upload.remove('deleted'))
    expect(await outcome).toMatchObject({ code: 'gone' })
  })

  it('does not keep the service from closing', async () => {
    const outcome = compared()
    await reading
    await uploads.close()
    expect(await outcome).toMatchObject({ code: 'stopping' })
  })

  it('does not keep the service from closing after a concatenation', async () => {
    await uploads.create({ ...recordOf('part', LENGTH), partial: true }, (upload) =>
      upload.receiving.append({ start: 0, end: LENGTH }, bytes(LENGTH), 'as-received'),
    )
    const final = { parts: ['part'], metadata: { sha256 }, fileName: 'a.txt', tus: { concat: 'final;part' } }
    const outcome = concatenation.create(final, uploads.for(anyone)).catch((error: unknown) => error)
    await reading
    await concatenation.close()
    expect(await outcome).toMatchObject({ code: 'stopping' })
  })
})
