import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ALGORITHMS } from '../../server/core/digest.ts'
import { FAILURE_CODES, type UploadRecord } from '../../server/core/record.ts'
import type { Environment } from '../../server/disk/environment.ts'
import { createRecord, readRecord, replaceRecord } from '../../server/disk/record-file.ts'
import { temporaryFolder } from '../support/folder.ts'
import { environmentIn } from './environment.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let environment: Environment
beforeAll(async () => {
  folder = await temporaryFolder()
  environment = environmentIn(folder.path)
})
afterAll(() => folder.dispose())

const text = fc.string({ unit: 'grapheme' })
/** `__proto__` cannot occur: the parser of Upload-Metadata drops it. */
const key = text.filter((name) => name !== '__proto__')
const size = fc.maxSafeNat()
const id = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,30}$/)

const yes = fc.constant(true as const)
const chunked = { chunks: size, chunkSize: size, visitor: text }
const senders = {
  begun: text,
  senders: fc.array(text),
  contested: yes,
  modified: fc.maxSafeInteger(),
  further: text,
  size,
  recut: size,
  confirmed: yes,
  shares: fc.dictionary(key, fc.array(fc.record({ start: size, end: size })), { noNullPrototype: true }),
}

const record: fc.Arbitrary<UploadRecord> = fc.record(
  {
    id,
    length: fc.option(size),
    metadata: fc.dictionary(key, fc.option(text), { noNullPrototype: true }),
    fileName: text,
    createdAt: fc.constant('2026-11-23T08:09:10.567Z'),
    owner: text,
    account: text,
    scan: fc.constant('clean' as const),
    rawMetadata: text,
    digests: fc.dictionary(fc.constantFrom(...ALGORITHMS), text, { noNullPrototype: true }),
    partial: yes,
    final: text,
    joined: yes,
    parts: fc.array(id),
    endAwaited: yes,
    webUploader: fc.oneof(
      fc.record(chunked, { requiredKeys: ['chunks'] }),
      fc.record({ ...chunked, ...senders }, { requiredKeys: ['begun', 'senders'] }),
    ),
    tus: fc.record({ concat: text }),
    draft: fc.record({ wantedDigest: text }),
    failed: fc.record({ code: fc.constantFrom(...FAILURE_CODES), message: text }),
    mark: fc.record({ boot: text, synced: size }),
  },
  { requiredKeys: ['id', 'length', 'metadata', 'fileName', 'createdAt'] },
)

/** Writes a record, replacing an existing one. */
async function write(one: UploadRecord): Promise<string> {
  await mkdir(environment.layout.recordFolder(one.id), { recursive: true })
  await replaceRecord(environment, one)
  return environment.layout.record(one.id)
}

test('A record is read as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(record, async (one) => {
      await write(one)
      expect(await readRecord(environment, one.id)).toEqual(one)
    }),
  )
})

test('A record that is truncated anywhere is torn, and a new one replaces it', async () => {
  await fc.assert(
    fc.asyncProperty(record, record, fc.nat(), async (one, other, cut) => {
      const file = await write(one)
      const bytes = await readFile(file)
      await writeFile(file, bytes.subarray(0, cut % bytes.length))
      expect(await readRecord(environment, one.id)).toBe('torn')
      const next = { ...other, id: one.id }
      await createRecord(environment, next, false)
      expect(await readRecord(environment, one.id)).toEqual(next)
    }),
  )
})

test('A record with a damaged byte is torn', async () => {
  await fc.assert(
    fc.asyncProperty(record, fc.nat(), fc.integer({ min: 1, max: 255 }), async (one, at, change) => {
      const file = await write(one)
      const bytes = await readFile(file)
      const place = at % bytes.length
      bytes[place] = (bytes[place] ?? 0) ^ change
      await writeFile(file, bytes)
      expect(await readRecord(environment, one.id)).toBe('torn')
    }),
    { numRuns: 300 },
  )
})

test('A record of another upload is ignored', async () => {
  await fc.assert(
    fc.asyncProperty(record, id, async (one, other) => {
      fc.pre(one.id !== other)
      const bytes = await readFile(await write(one))
      const file = environment.layout.record(other)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, bytes)
      expect(await readRecord(environment, other)).toBe('torn')
    }),
  )
})

test('A record whose directory cannot be created is refused', async () => {
  await mkdir(environment.layout.records, { recursive: true })
  const obstacle = environment.layout.recordFolder('obstructed')
  const obstructed: UploadRecord = { id: 'obstructed', length: 1, metadata: {}, fileName: 'file', createdAt: '' }
  // An id of an earlier test may begin with the same two characters.
  await rm(obstacle, { recursive: true, force: true })
  await writeFile(obstacle, 'no folder')
  await expect(createRecord(environment, obstructed, false)).rejects.toMatchObject({ code: 'ENOTDIR' })
  await rm(obstacle)
  await symlink('nowhere', obstacle)
  await expect(createRecord(environment, obstructed, false)).rejects.toMatchObject({ code: 'ENOENT' })
  await rm(obstacle)
  await createRecord(environment, obstructed, false)
})
