import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { digest } from '../../legacy-adapter/identity.ts'
import { bytesOf } from '../support/bytes.ts'
import { answerOf, type LegacyAnswer } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { type ChunkFields, type Cut, complete, cut, MULTIPART, multipartBody } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

const SECRET = 'a secret of the folder before and after'

let service: TestService
beforeEach(async () => {
  service = await startService({ SECRET })
})
afterEach(() => service.close())

const content = bytesOf(4500)

function fileOf(task: string, { name, ...fields }: Partial<ChunkFields> = {}): Cut {
  const file = cut(content, 1000, { task_id: task })
  return {
    ...file,
    fields: (chunk) => {
      const { name: _, ...nameless } = file.fields(chunk)
      return { ...nameless, ...fields, ...(name === undefined ? {} : { name }) }
    },
  }
}

/** @param fileName the file name of the part. */
async function send(file: Cut, chunk: number, fileName?: string, cookie = ''): Promise<LegacyAnswer> {
  const body = multipartBody(file.fields(chunk), file.bytes(chunk), fileName)
  const headers = { 'Content-Type': MULTIPART, Cookie: cookie }
  return answerOf(await fetch(`${service.url}/upload/accept`, { method: 'POST', headers, body }))
}

interface RecordJson {
  readonly format?: number
  readonly account?: string
  readonly endAwaited?: true
  readonly webUploader?: {
    readonly chunks?: number
    readonly chunkSize?: number
    readonly visitor?: string
    readonly senders: readonly string[]
  }
}

/** The first line of a record is its JSON. */
async function recordIn(file: string): Promise<RecordJson> {
  const [line = ''] = (await readFile(file, 'utf8')).split('\n')
  return JSON.parse(line)
}

/**
 * Writes all records as the first version did, and restarts the service. @param more of each record.
 */
async function withFormerRecords(more: { visitor?: string } = {}): Promise<void> {
  const records = path.join(service.dataDir, 'records')
  for (const name of await readdir(records, { recursive: true })) {
    if (!name.endsWith('.json')) continue
    const file = path.join(records, name)
    const { format: _, account: __, endAwaited: ___, webUploader, ...former } = await recordIn(file)
    const { chunks, chunkSize, visitor } = webUploader ?? {}
    const line = JSON.stringify({ ...former, chunks, chunkSize, visitor, ...more })
    await writeFile(file, `${line}\n${crc32(line).toString(16)}\n`)
  }
  service = await service.restart()
}

test('An upload of the previous version resumes, named or not, also after another restart', async () => {
  for (const more of [{ name: 'big.bin' }, {}, { lastModifiedDate: 'today' }]) {
    const file = fileOf(`wu_former_${JSON.stringify(more)}`, more)
    // The previous version ignored the file name of the part.
    const { id } = await send(file, 0, '')
    await send(file, 1, '')
    await withFormerRecords()
    expect(await send(file, 2, 'part.bin')).toMatchObject({ id, received: 3000 })
    service = await service.restart()
    expect(await send(file, 3, 'part.bin')).toMatchObject({ id, received: 4000 })
    expect(await send(file, 4, 'part.bin')).toMatchObject({ id, finished: true })
    const answer = await complete(service.url, { task_id: String(file.fields(0).task_id) })
    expect(answer.status).toBe(200)
  }
})

test('A nameless upload of the previous version is not given to another sender', async () => {
  const file = fileOf('wu_former_sender')
  const { id } = await send(file, 0, '')
  await withFormerRecords()
  const other = fileOf('wu_former_sender', { id: 'WU_FILE_1' })
  expect((await send(other, 1, 'part.bin')).id).not.toBe(id)
})

test('A file of two senders finishes with its last byte in a version without senders', async () => {
  const file = cut(content, 1000, { task_id: 'wu_former_joined' })
  const { id } = await send(file, 0)
  for (const chunk of [1, 2, 3]) await send(file, chunk)
  const again = cut(content, 1000, { ...file.fields(0), id: 'WU_FILE_1', lastModifiedDate: 'today' })
  service = await service.restart()
  await until(async () => (await send(again, 0)).ok)
  const record = path.join(service.dataDir, 'records', String(id).split('.')[0] ?? '', `${id}.json`)
  expect((await recordIn(record)).webUploader?.senders).toHaveLength(2)
  await withFormerRecords()
  expect(await send(file, 4)).toMatchObject({ id, finished: true })
})

test('An upload that a visitor began under the previous version is closed to other visitors', async () => {
  const [own, other] = ['1'.repeat(32), '2'.repeat(32)]
  const file = fileOf('wu_former_visitor', { name: 'big.bin' })
  const { id } = await send(file, 0)
  await send(file, 1)
  await withFormerRecords({ visitor: digest(SECRET, 'visitor', [own]).slice(0, 32) })
  const question = { task_id: 'wu_former_visitor', filename: 'big.bin' }
  const strangers = ['', `landfall_visitor=${other}`]
  for (const cookie of strangers) expect((await complete(service.url, question, cookie)).status).toBe(404)
  for (const cookie of strangers) expect((await send(file, 2, undefined, cookie)).id).not.toBe(id)
  for (const chunk of [2, 3, 4])
    expect(await send(file, chunk, undefined, `landfall_visitor=${own}`)).toMatchObject({ id })
  expect(await answerOf(await complete(service.url, question, `landfall_visitor=${own}`))).toMatchObject({ id })
})
