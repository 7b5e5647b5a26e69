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

describe('A record with a folder', () => {
  it('has it also when it is replaced', async () => {
    const record = await readJson({ ...COMMON, format: 2, folder: '2026/11' })
    expect(record.folder).toBe('2026/11')
    expect(await writtenJson(record)).toMatchObject({ folder: '2026/11' })
  })

  it.each(['../files', '/etc', 'a/../b', 'a//b', '', '.', '.hidden', 'a\\b', 'a\0'])(
    'that leads elsewhere is not read: %j',
    async (folder) => {
      await expect(readJson({ ...COMMON, format: 2, folder })).rejects.toThrow('another version')
    },
  )
})

describe('A record of format 1', () => {
  it.each(former)('is replaced by one of format 2 that reads as the same record: %s', async (name) => {
    const created = await readFormer('created', name)
    const replaced = await readFormer('replaced', name)
    for (const record of [created, replaced]) {
      const json = await writtenJson(record)
      expect(json).toMatchObject({ format: 2 })
      expect(await readRecord(environment, record.id)).toEqual(record)
    }
    expect(await writtenJson(created)).toEqual(await writtenJson(replaced))
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

  it('without senders is read as the first version wrote it', async () => {
    const record = await readJson({ ...COMMON, chunks: 3, visitor: 'visitor' })
    expect(record).toEqual({ ...COMMON, webUploader: { chunks: 3, visitor: 'visitor' } })
  })

  it('keeps unknown keys through an update, in the part to which they belong', async () => {
    const page = { begun: 'a', senders: ['a'], weight: [7] }
    const failed = { code: 'part_gone', message: 'gone', by: 'somebody' }
    const json = { ...COMMON, page, failed, colour: { name: 'c' }, constructor: null, mark: { boot: 'b', synced: 1 } }
    const record = await readJson(json)
    const changed = { ...record, webUploader: { ...record.webUploader, begun: 'a', senders: ['a', 'b'] } }
    const { page: _, ...rest } = json
    const written = await writtenJson(changed)
    expect(written).toEqual({ format: 2, ...rest, webUploader: { ...page, senders: ['a', 'b'] } })
    expect(await readJson(written)).toEqual(changed)
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
    expect(await writtenJson({ ...record, mark })).toEqual({ format: 2, ...COMMON, mark })
  })

  it('into which the version before has turned one of format 2 is read like that', async () => {
    const failed = { code: 'rejected', message: 'no' } as const
    const record: UploadRecord = { ...COMMON, owner: 'o', account: 'a', scan: 'clean', webUploader: SENDERS, failed }
    const { owner, account, scan, failed: written } = await writtenJson(record)
    const { begun, senders, ...chunked } = SENDERS
    const former = { ...COMMON, ...chunked, page: { begun, senders }, failed: written, owner, account, scan }
    const left = { webUploader: { weight: 7 }, tus: { version: '2' }, draft: { version: '9' } }
    expect(await readJson(former)).toEqual(record)
    expect(await readJson({ ...former, webUploader: left.webUploader })).toEqual({
      ...record,
      unknown: { webUploader: { weight: 7 } },
    })
    const withParts = { ...former, ...left, concat: 'final;a', wantedDigest: 'sha-256=1' }
    expect((await readJson(withParts)).unknown).toEqual(left)
  })
})

describe('A record of format 2', () => {
  it.each(former)('reads as the same record of format 1: %s', async (name) => {
    const record = await readFormer('created', name)
    expect(await readJson({ format: 2, ...record })).toEqual(record)
  })

  it('keeps unknown keys through updates, also those of its parts', async () => {
    const parts = {
      webUploader: { ...SENDERS, weight: 7 },
      tus: { concat: 'final;a', version: '2' },
      draft: { wantedDigest: 'sha-256=1', version: '9' },
    }
    const unknown = {
      colour: 'c',
      webUploader: { weight: 7 },
      tus: { version: '2' },
      draft: { version: '9' },
    }
    let record = await readJson({ format: 2, ...COMMON, colour: 'c', ...parts })
    for (const length of [6, 7]) {
      const json = await writtenJson({ ...record, length })
      expect(json).toEqual({ format: 2, ...COMMON, length, colour: 'c', ...parts })
      record = await readJson(json)
      expect(record.unknown).toEqual(unknown)
    }
  })

  it('has a failure that the version before does not know as one that it knows', async () => {
    const failed = { code: 'rejected', message: 'It contains a virus.' } as const
    const json = await writtenJson({ ...COMMON, failed })
    expect(json['failed']).toEqual({ code: 'digest_mismatch', message: failed.message, as: 'rejected' })
    expect(await readJson(json)).toEqual({ ...COMMON, failed })
    const of = (as: string): Json => ({ format: 2, ...COMMON, failed: { code: 'digest_mismatch', message: '', as } })
    expect((await readJson(of('moved'))).failed?.code).toBe('digest_mismatch')
    expect(await writtenJson(await readJson(of('moved')))).toEqual(of('moved'))
    expect((await readJson(of('part_gone'))).failed?.code).toBe('digest_mismatch')
  })
})

it.each([
  ['of format 3', { format: 3, ...COMMON }],
  ['with a negative length', { ...COMMON, length: -1 }],
  ['with a failure that is unknown to this version', { ...COMMON, failed: { code: 'moved', message: '' } }],
  ['whose page has no senders', { ...COMMON, page: { begun: 'a' } }],
  ['whose page is no object', { ...COMMON, page: 'a' }],
  ['of format 1 with an invalid left part', { ...COMMON, tus: 'final;a' }],
  ['of format 2 with senders but no beginner', { format: 2, ...COMMON, webUploader: { senders: ['a'] } }],
  ['of format 2 with an invalid part', { format: 2, ...COMMON, draft: 'sha-256=1' }],
])('A record %s is refused', async (_, json) => {
  await expect(readJson(json)).rejects.toThrow('was written by another version of Landfall')
})
