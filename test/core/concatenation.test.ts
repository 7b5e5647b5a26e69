import { access } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Concatenation, type FinalUpload } from '../../server/core/concatenation.ts'
import { UploadError } from '../../server/core/errors.ts'
import { MemoryClaims } from '../../server/core/memory-claims.ts'
import type { Range } from '../../server/core/ranges.ts'
import type { Source } from '../../server/core/source.ts'
import type { Found, Store, StoredUpload } from '../../server/core/store.ts'
import { Uploads } from '../../server/core/uploads.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { openStore } from '../../server/open-store.ts'
import { ArraySource } from '../support/array-source.ts'
import { temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'

/** A gate at which one call of the store waits until it is opened. */
class Gate {
  #reached: () => void = () => undefined
  #open: () => void = () => undefined
  readonly reached = new Promise<void>((resolve) => {
    this.#reached = resolve
  })
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve
  })

  async pass(): Promise<void> {
    this.#reached()
    await this.#opened
  }

  open(): void {
    this.#open()
  }
}

/** The disk store, but the bytes of one part are discarded, or read, only when the gate is open. */
function gated(store: DiskStore, part: string, gate: Gate, what: 'discardBytes' | 'read' = 'discardBytes'): Store {
  const gatedUpload = (upload: StoredUpload): StoredUpload =>
    new Proxy(upload, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key)
        if (key === what && target.record.id === part) {
          if (key === 'discardBytes') return () => gate.pass().then(() => target.discardBytes())
          return async function* (range: Range) {
            await gate.pass()
            yield* target.read(range)
          }
        }
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return {
    create: async (record) => gatedUpload(await store.create(record)),
    createFinished: (record, bytes) => store.createFinished(record, bytes),
    createFrom: (record, source) => store.createFrom(record, source),
    open: async (id): Promise<Found> => {
      const found = await store.open(id)
      return found.kind === 'upload' ? { kind: 'upload', upload: gatedUpload(found.upload) } : found
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

function bytes(text: string): Source {
  let left: string | undefined = text
  return {
    read: async () => {
      const next = left
      left = undefined
      return next === undefined ? null : [Buffer.from(next)]
    },
    cancel: () => undefined,
    waitingSince: undefined,
  }
}

/** A complete part of five bytes. */
async function makePart(uploads: Uploads, id: string): Promise<void> {
  await uploads.create({ ...recordOf(id, 5), partial: true }, (upload) =>
    upload.receiving.append({ start: 0, end: 5 }, bytes(id.slice(0, 5)), 'as-received'),
  )
}

function asked(parts: readonly string[]): FinalUpload {
  return { parts, metadata: {}, fileName: 'a.txt', tus: { concat: `final;${parts.join(' ')}` } }
}

/** Gives work that must wait enough time to end too early. */
async function tooEarly(work: Promise<unknown>): Promise<void> {
  await Promise.race([work.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 300))])
}

describe('A final upload that is deleted while the bytes of its parts are discarded', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let uploads: Uploads
  let concatenation: Concatenation
  let gate: Gate
  /** Its creation, and its id. */
  let made: Promise<string>
  let final: string

  beforeEach(async () => {
    folder = await temporaryFolder()
    gate = new Gate()
    const options = { directory: folder.path, sync: 'finish', boot: 'boot', onNotice: () => undefined } as const
    const store = gated(await DiskStore.open(options), 'second', gate)
    uploads = new Uploads(store, new MemoryClaims(), Number.POSITIVE_INFINITY)
    concatenation = new Concatenation(uploads, 'secret')
    for (const id of ['first', 'second', 'other']) await makePart(uploads, id)
    made = concatenation.create(asked(['first', 'second']), uploads.for(anyone))
    await gate.reached
    final = (await uploads.use('second', async ({ record }) => record.final)) ?? ''
    await uploads.use(final, (upload) => upload.remove('deleted'))
  })
  afterEach(async () => {
    gate.open()
    await concatenation.close()
    await uploads.close()
    await folder.dispose()
  })

  it('is deleted with all its parts', async () => {
    const forgotten = concatenation.forget(final, ['first', 'second'])
    await tooEarly(forgotten)
    gate.open()
    await forgotten
    await made
    for (const id of ['first', 'second']) {
      await expect(uploads.use(id, async () => undefined)).rejects.toMatchObject({ code: 'gone' })
      await expect(access(path.join(folder.path, 'records', id.slice(0, 2), `${id}.json`))).rejects.toThrow()
    }
  })

  it('leaves the bytes of another final upload alone', async () => {
    const second = concatenation.create(asked(['other', 'second']), uploads.for(anyone))
    await tooEarly(second)
    gate.open()
    await expect(second).rejects.toMatchObject({ code: 'part_taken' })
    await made
    expect(await concatenation.create(asked(['other']), uploads.for(anyone))).toMatch(/^[0-9a-f]{32}$/)
  })
})

it('Closing the service while the first part is copied stops the final upload from being filled', async () => {
  const folder = await temporaryFolder()
  let closed: Promise<void> | undefined
  const uploads = await openStore({
    directory: folder.path,
    sync: 'finish',
    onStep: (step) => {
      if (step === 'takeover:marked') closed = concatenation.close()
    },
  })
  const concatenation = new Concatenation(uploads, 'secret')
  for (const id of ['first', 'second']) await makePart(uploads, id)
  await expect(concatenation.create(asked(['first', 'second']), uploads.for(anyone))).rejects.toMatchObject({
    code: 'stopping',
  })
  await closed
  const final = (await uploads.use('first', async ({ record }) => record.final)) ?? ''
  expect(await uploads.use(final, async ({ offset, state }) => [offset, state])).toEqual([5, 'receiving'])
  await uploads.close()
  await folder.dispose()
})

it('A HEAD does not interrupt the concatenation of a final upload', async () => {
  const folder = await temporaryFolder()
  const gate = new Gate()
  const options = { directory: folder.path, sync: 'never', boot: 'boot', onNotice: () => undefined } as const
  const store = gated(await DiskStore.open(options), 'second', gate, 'read')
  const uploads = new Uploads(store, new MemoryClaims(), Number.POSITIVE_INFINITY)
  const concatenation = new Concatenation(uploads, 'secret')
  for (const id of ['first', 'second']) await makePart(uploads, id)
  const made = concatenation.create(asked(['first', 'second']), uploads.for(anyone))
  await gate.reached
  const final = (await uploads.use('first', async ({ record }) => record.final)) ?? ''
  const reported = uploads.use(final, (upload) => upload.receiving.interrupt())
  await tooEarly(reported)
  gate.open()
  await reported
  expect(await made).toBe(final)
  expect(await uploads.use(final, async ({ state }) => state)).toBe('finished')
  await concatenation.close()
  await uploads.close()
  await folder.dispose()
})

it('A part refuses an offset that it offered before its bytes moved to the final upload, and returns the right one', async () => {
  const folder = await temporaryFolder()
  const uploads = await openStore({ directory: folder.path, sync: 'never' })
  const concatenation = new Concatenation(uploads, 'secret')
  try {
    await uploads.create({ ...recordOf('part', 10), partial: true }, async (part) => {
      await part.receiving.append({ start: 0, end: 10 }, bytes('hello'), 'as-received')
      expect(part.receiving.offerOffset()).toBe(5)
      // Its client has disconnected when the last byte is written.
      const cut = new ArraySource([[Buffer.from('world')]], new UploadError('connection_closed', 'The client is gone.'))
      await expect(part.receiving.append({ start: 5, end: 10 }, cut, 'as-received')).rejects.toMatchObject({
        code: 'connection_closed',
      })
      expect(part.receiving.continuesAt(5)).toBe(true)
    })
    await concatenation.create(
      { parts: ['part'], tus: { concat: 'final;part' }, metadata: {}, fileName: 'f' },
      uploads.for(anyone),
    )
    const late = uploads.use('part', (part) =>
      part.receiving.append({ start: 5, end: 10 }, bytes('world'), 'as-received'),
    )
    await expect(late).rejects.toMatchObject({ code: 'offset_mismatch', details: { offset: 10 } })
  } finally {
    await concatenation.close()
    await uploads.close()
    await folder.dispose()
  }
})
