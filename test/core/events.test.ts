import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Refusal } from '../../server/core/answer.ts'
import type { Decisions } from '../../server/core/decisions.ts'
import { EVENT_TYPES, Events, eventId, type UploadEvent } from '../../server/core/events.ts'
import type { Upload } from '../../server/core/upload.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { ArraySource } from '../support/array-source.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'

let folder: TemporaryFolder
let uploads: Uploads
let seen: UploadEvent[]

async function open(decisions: Decisions = {}): Promise<void> {
  const events = new Events()
  seen = []
  events.on(EVENT_TYPES, (event) => seen.push(event))
  const reports = { events, progressInterval: 0 }
  uploads = await openStore({ directory: folder.path, sync: 'finish', reports, decisions })
}

beforeEach(async () => {
  folder = await temporaryFolder()
  await open()
})
afterEach(async () => {
  await uploads.close()
  await folder.dispose()
})

const types = (): readonly string[] => seen.map(({ type }) => type)
const desk = () => uploads.for(anyone)
const nothing = async (): Promise<void> => undefined

async function fill(upload: Upload, text: string): Promise<void> {
  await upload.receiving.append({ start: 0, end: text.length }, ArraySource.of(Buffer.from(text)), 'as-received')
}

describe('Events', () => {
  it('follow an upload from its creation to its deletion', async () => {
    await desk().create(recordOf('id', 5), async (upload) => {
      await fill(upload, 'he')
      await upload.receiving.append({ start: 2, end: 5 }, ArraySource.of(Buffer.from('llo')), 'as-received')
      await upload.finish()
      await upload.terminate({ onlyIncomplete: false })
    })
    expect(types()).toEqual(['created', 'progress', 'progress', 'finished', 'deleted'])
    expect(seen.map(({ upload }) => upload.offset)).toEqual([0, 2, 5, 5, 5])
    expect(seen[3]?.upload.path).toBe(path.join(folder.path, 'files', 'id', 'a.txt'))
    expect(new Set(seen.filter(({ type }) => type !== 'progress').map(eventId)).size).toBe(3)
  })

  it('report a small file as created and finished', async () => {
    await desk().createFinished(recordOf('id', 5), async () => [Buffer.from('hello')], nothing)
    expect(types()).toEqual(['created', 'finished'])
  })

  it('report a failure once', async () => {
    await desk().create(recordOf('id', 5), async (upload) => {
      await upload.fail('too_large', 'Too large.')
      await upload.fail('too_large', 'Too large.')
    })
    expect(types()).toEqual(['created', 'failed'])
    expect(seen[1]?.upload.record.failed?.code).toBe('too_large')
  })

  it('report nothing of an upload for a request that was refused', async () => {
    const refused = desk().createTentatively(recordOf('id', 5), () => Promise.reject(new Error('refused')))
    await expect(refused).rejects.toThrow('refused')
    expect(types()).toEqual([])
    await desk().createTentatively(recordOf('id', 5), (upload) => fill(upload, 'hello'))
    expect(types().slice(0, 2)).toEqual(['created', 'progress'])
  })

  it('report an upload without bytes whose request succeeded', async () => {
    await desk().createTentatively(recordOf('id', 5), nothing)
    expect(types()).toEqual(['created'])
  })

  it('report an upload without bytes that a stop keeps', async () => {
    const created = desk().createTentatively(recordOf('id', 5), async () => {
      await uploads.end()
      throw new Error('stopped')
    })
    await expect(created).rejects.toThrow('stopped')
    expect(types()).toEqual(['created'])
  })

  it('report nothing of a change that failed', async () => {
    await desk().create(recordOf('id', 5), nothing)
    await expect(desk().create(recordOf('id', 5), nothing)).rejects.toThrow()
    expect(types()).toEqual(['created'])
  })
})

describe('The application', () => {
  it('refuses an upload before it exists', async () => {
    await uploads.close()
    await open({ beforeCreate: () => Promise.reject(new Refusal('refused', 'No.', { status: 403 })) })
    await expect(desk().create(recordOf('id', 5), nothing)).rejects.toMatchObject({ code: 'refused' })
    await expect(desk().use('id', nothing)).rejects.toMatchObject({ code: 'not_found' })
    expect(types()).toEqual([])
  })

  it('chooses the metadata, the name, and the id of an upload', async () => {
    await uploads.close()
    await open({ beforeCreate: async () => ({ changes: { id: 'chosen', metadata: { filename: 'b.txt' } } }) })
    await desk().create(recordOf('id', 5), nothing)
    const record = await desk().use('chosen', async (upload) => upload.record)
    expect(record).toMatchObject({ id: 'chosen', fileName: 'b.txt', metadata: { filename: 'b.txt' } })
    await expect(desk().create(recordOf('id', 5), nothing)).rejects.toMatchObject({ code: 'internal' })
  })

  it('rejects a file that is whole, for good', async () => {
    await uploads.close()
    const answer = { status: 403, body: 'Not this one.' }
    await open({ beforeFinish: () => Promise.reject(new Refusal('rejected', 'No.', answer)) })
    const finished = desk().create(recordOf('id', 5), async (upload) => {
      await fill(upload, 'hello')
      await upload.finish()
    })
    await expect(finished).rejects.toMatchObject({ code: 'rejected', answer })
    expect(types()).toEqual(['created', 'progress', 'rejected'])
    await uploads.close()
    await open()
    const again = desk().use('id', (upload) => upload.finish())
    await expect(again).rejects.toMatchObject({ code: 'rejected', answer })
  })

  it('adds a result to a file', async () => {
    await uploads.close()
    await open({ beforeFinish: async () => ({ result: { page: 5 } }) })
    await desk().createFinished(recordOf('id', 5), async () => [Buffer.from('hello')], nothing)
    await uploads.close()
    await open()
    expect(await desk().use('id', async ({ record }) => record.answer)).toEqual({ result: { page: 5 } })
  })

  it('keeps an upload from being deleted by clients', async () => {
    await uploads.close()
    await open({ beforeDelete: () => Promise.reject(new Refusal('refused', 'No.')) })
    await desk().create(recordOf('id', 5), async (upload) => {
      await expect(upload.terminate({ onlyIncomplete: false })).rejects.toMatchObject({ code: 'refused' })
      await upload.remove('deleted')
    })
    expect(types()).toEqual(['created', 'deleted'])
  })
})
