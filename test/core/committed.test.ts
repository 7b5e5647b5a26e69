import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { isCommitted } from '../../server/core/committed.ts'
import { EVENT_TYPES, Events, type UploadEvent } from '../../server/core/events.ts'
import type { UploadRecord } from '../../server/core/record.ts'
import { ReportedStore } from '../../server/core/reported-store.ts'
import { bootId } from '../../server/disk/boot-id.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { Layout } from '../../server/disk/layout.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { recordOf } from '../support/store-contract.ts'

const HOUR = 3_600_000

let folder: TemporaryFolder
let store: DiskStore

async function open(): Promise<void> {
  store = await DiskStore.open({ directory: folder.path, sync: 'finish', boot: bootId(), onNotice: () => undefined })
}

beforeEach(async () => {
  folder = await temporaryFolder()
  await open()
})
afterEach(async () => {
  await store.close()
  await folder.dispose()
})

/** An upload that is created now, by a clock that is so many milliseconds ahead. */
function created(ahead: number): UploadRecord {
  return { ...recordOf('id', 5), createdAt: new Date(Date.now() + ahead).toISOString() }
}

const isCreated = ({ id, createdAt }: UploadRecord): Promise<boolean> =>
  isCommitted(store, { type: 'created', upload: id, createdAt })

describe('A creation in doubt', () => {
  it('is true of an upload that was deleted since', async () => {
    const record = created(0)
    const upload = await store.create(record)
    await upload.remove('deleted')
    expect(await isCreated(record)).toBe(true)
  })

  it.each([
    ['ahead', HOUR],
    ['back', -HOUR],
  ])('is true of an upload that was deleted since, although the clock jumped an hour %s', async (_, by) => {
    const record = created(-by)
    const upload = await store.create(record)
    await upload.remove('deleted')
    expect(await isCreated(record)).toBe(true)
  })

  it('is not true if it was refused, and a crash interrupted the removal', async () => {
    const record = created(0)
    await (await store.create(record)).release()
    await store.close()
    const layout = new Layout(folder.path)
    await writeFile(path.join(layout.leaving, 'id'), 'refused\n')
    await open()
    expect(await store.open('id')).toEqual({ kind: 'unknown' })
    expect(await isCreated(record)).toBe(false)
  })
})

describe('A finished file in doubt', () => {
  it('is not one if the upload has failed since, because the directories could not be synced', async () => {
    const record = { ...created(0), length: 0 }
    const upload = await store.createFinished(record, [])
    const isFinished = (): Promise<boolean> => isCommitted(store, { ...record, type: 'finished', upload: 'id' })
    expect(await isFinished()).toBe(true)
    await upload.fail({ code: 'sync_failed', message: 'The storage could not keep the bytes of this upload.' })
    expect(await isFinished()).toBe(false)
  })
})

describe('An upload that was made for a refused request', () => {
  it('is unknown, not gone, when its removal is completed later', async () => {
    await (await store.create(created(0))).release()
    await writeFile(path.join(new Layout(folder.path).leaving, 'id'), 'refused\n')
    expect(await store.open('id')).toEqual({ kind: 'unknown' })
    expect(await store.open('id')).toEqual({ kind: 'unknown' })
  })
})

describe('A removal', () => {
  it('is reported once although it has to be completed later', async () => {
    const events = new Events()
    const seen: UploadEvent[] = []
    events.on(EVENT_TYPES, (event) => seen.push(event))
    const upload = await new ReportedStore(store, { events, progressInterval: 0 }).create(recordOf('id', 5))
    const layout = new Layout(folder.path)
    // A directory that cannot be removed as a file.
    await mkdir(layout.journal('id'))
    await expect(upload.remove('deleted')).rejects.toMatchObject({ code: 'storage_error' })
    expect(upload.removed).toBe(true)
    await upload.remove('deleted').catch(() => undefined)
    expect(seen.map(({ type }) => type)).toEqual(['created', 'deleted'])
  })
})
