import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import type { UploadRecord } from '../../server/core/record.ts'
import type { Environment } from '../../server/disk/environment.ts'
import { readRecord, replaceRecord } from '../../server/disk/record-file.ts'
import { temporaryFolder } from '../support/folder.ts'
import { environmentIn } from './environment.ts'

/** Records by a version that knew only format 1: as created, and as replaced. */
const FORMER = fileURLToPath(new URL('records-of-format-1', import.meta.url))
const former = await readdir(path.join(FORMER, 'created'))

const identified = z.looseObject({ id: z.string() })
type Json = z.infer<typeof identified>

const COMMON = { id: 'one', length: 5, metadata: { filename: 'a.txt' }, fileName: 'a.txt', createdAt: '2026-11-26' }
const SENDERS = { chunks: 3, chunkSize: 2, visitor: 'visitor', begun: 'a', senders: ['a', 'b'] }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let environment: Environment
beforeAll(async () => {
  folder = await temporaryFolder()
  environment = environmentIn(folder.path)
})
afterAll(() => folder.dispose())

/** Writes a record file and reads it as a record. */
async function readBytes(id: string, bytes: string | Buffer): Promise<UploadRecord> {
  await mkdir(environment.layout.recordFolder(id), { recursive: true })
  await writeFile(environment.layout.record(id), bytes)
  const record = await readRecord(environment, id)
  if (typeof record === 'string') throw new Error(`The record is ${record}.`)
  return record
}

function readJson(json: Json): Promise<UploadRecord> {
  const line = JSON.stringify(json)
  return readBytes(json.id, `${line}\n${crc32(line).toString(16)}\n`)
}

async function writtenJson(record: UploadRecord): Promise<Json> {
  await replaceRecord(environment, record)
  const [line = ''] = (await readFile(environment.layout.record(record.id), 'utf8')).split('\n')
  return identified.parse(JSON.parse(line))
}

async function readFormer(state: 'created' | 'replaced', name: string): Promise<UploadRecord> {
  const bytes = await readFile(path.join(FORMER, state, name))
  const [line = ''] = bytes.toString('utf8').split('\n')
  return readBytes(identified.parse(JSON.parse(line)).id, bytes)
}

describe('A record of format 1', () => {
  it.each(former)('has the same bytes as from the previous version: %s', async (name) => {
    const expected = await readFile(path.join(FORMER, 'replaced', name))
    for (const state of ['created', 'replaced'] as const) {
      const record = await readFormer(state, name)
      await replaceRecord(environment, record)
      expect((await readFile(environment.layout.record(record.id))).equals(expected)).toBe(true)
    }
  })

  it('is read with a part for each protocol', async () => {
    expect((await readFormer('created', 'tus-final.record')).tus).toEqual({
      concat: expect.stringMatching(/^final;/),
    })
    const draft = await readFormer('created', 'draft.record')
    expect(draft).toMatchObject({ endAwaited: true, draft: { wantedDigest: 'sha-256=10' } })
    const held = await readFormer('created', 'webuploader-held.record')
    expect(held).toMatchObject({ endAwaited: true, webUploader: { chunks: 5, chunkSize: 1000, contested: true } })
    expect(held.webUploader?.senders).toEqual([held.webUploader?.begun])
    expect([draft.webUploader, held.draft, held.unknown]).toEqual([undefined, undefined, undefined])
  })

  it('without senders keeps what the first version wrote', async () => {
    const json = { ...COMMON, chunks: 3, visitor: 'visitor' }
    const record = await readJson(json)
    expect(record.webUploader).toEqual({ chunks: 3, visitor: 'visitor' })
    expect(await writtenJson(record)).toEqual(json)
  })

  it('keeps unknown keys through an update', async () => {
    const page = { begun: 'a', senders: ['a'], weight: [7] }
    const failed = { code: 'part_gone', message: 'gone', by: 'somebody' }
    const json = { ...COMMON, page, failed, owner: { name: 'o' }, constructor: null, mark: { boot: 'b', synced: 1 } }
    const record = await readJson(json)
    const changed = { ...record, webUploader: { ...record.webUploader, begun: 'a', senders: ['a', 'b'] } }
    expect(await writtenJson(changed)).toEqual({ ...json, page: { ...page, senders: ['a', 'b'] } })
  })

  it('keeps an unknown key that every object inherits', async () => {
    const json = { ...COMMON }
    Object.defineProperty(json, '__proto__', { value: [1], enumerable: true })
    await replaceRecord(environment, await readJson(json))
    expect(await readFile(environment.layout.record(json.id), 'utf8')).toContain('"__proto__":[1]')
  })

  it('does not pass unknown keys of a mark to the next one', async () => {
    const record = await readJson({ ...COMMON, mark: { boot: 'a', synced: 1, journal: 7 } })
    const mark = { boot: 'a', synced: 2 }
    expect(await writtenJson({ ...record, mark })).toEqual({ ...COMMON, mark })
  })
})

describe('A record of format 2', () => {
  it.each(former)('reads as the same record of format 1: %s', async (name) => {
    const record = await readFormer('created', name)
    expect(await readJson({ format: 2, ...record })).toEqual(record)
  })

  it('is replaced by one of format 1', async () => {
    const { begun, senders, ...chunked } = SENDERS
    const record = await readJson({ format: 2, ...COMMON, webUploader: SENDERS, endAwaited: true })
    expect(record).toEqual({ ...COMMON, webUploader: SENDERS, endAwaited: true })
    expect(await writtenJson(record)).toEqual({ ...COMMON, ...chunked, page: { begun, senders, held: true } })
  })

  it('keeps unknown keys through updates, also those of its parts', async () => {
    const parts = {
      webUploader: { ...SENDERS, weight: 7 },
      tus: { concat: 'final;a', version: '2' },
      draft: { wantedDigest: 'sha-256=1', version: '9' },
    }
    const unknown = {
      owner: 'o',
      webUploader: { weight: 7 },
      tus: { version: '2' },
      draft: { version: '9' },
    }
    let record = await readJson({ format: 2, ...COMMON, owner: 'o', ...parts })
    for (const length of [6, 7]) {
      const json = await writtenJson({ ...record, length })
      expect(json).toMatchObject({ length, ...unknown })
      expect(json).not.toHaveProperty('format')
      record = await readJson(json)
      expect(record.unknown).toEqual(unknown)
    }
    expect(record).toEqual({
      ...COMMON,
      length: 7,
      webUploader: SENDERS,
      tus: { concat: 'final;a' },
      draft: { wantedDigest: 'sha-256=1' },
      unknown,
    })
  })
})

it.each([
  ['of format 3', { format: 3, ...COMMON }],
  ['with a negative length', { ...COMMON, length: -1 }],
  ['with a failure that is unknown to this version', { ...COMMON, failed: { code: 'moved', message: '' } }],
  ['whose page has no senders', { ...COMMON, page: { begun: 'a' } }],
  ['of format 2 with senders but no beginner', { format: 2, ...COMMON, webUploader: { senders: ['a'] } }],
  ['of format 2 with an invalid part', { format: 2, ...COMMON, draft: 'sha-256=1' }],
])('A record %s is refused', async (_, json) => {
  await expect(readJson(json)).rejects.toThrow('was written by another version of Landfall')
})
