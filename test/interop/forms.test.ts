import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { storedFile } from '../e2e/support/files.ts'
import { type Landfall, startLandfall } from '../e2e/support/landfall.ts'
import { bytesOf, type Cut, cut } from '../legacy/landing.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { complete } from '../support/webuploader.ts'
import { FORM_CLIENTS, type FormClient } from './clients.ts'
import { startJob } from './job.ts'

const NAME = `测试 文件 "a" 'b'.bin`
const CHUNK_SIZE = 1_000_000
const STREAMING = FORM_CLIENTS.filter(({ streams }) => streams)
const ORDERING = FORM_CLIENTS.filter(({ ordersFields }) => ordersFields)

const answerLine = z.object({ status: z.number(), body: z.string() })
type Answer = z.infer<typeof answerLine>

let landfall: Landfall
let files: TemporaryFolder
beforeAll(async () => {
  landfall = await startLandfall()
  files = await temporaryFolder()
})
afterAll(async () => {
  await landfall.dispose()
  await files.dispose()
})

/** A file of a page of its own. */
function fresh(size: number): Cut {
  return cut(bytesOf(size), CHUNK_SIZE, { task_id: `wu_${randomUUID()}`, name: NAME })
}

/** Sends these chunks of a file in turn. */
async function send(
  client: FormClient,
  file: Cut,
  chunks: readonly number[],
  form: { readonly streamed?: boolean; readonly fieldsAfter?: boolean } = {},
): Promise<Answer[]> {
  const folder = await mkdtemp(path.join(files.path, 'chunks-'))
  const forms = chunks.map(async (chunk) => {
    const place = path.join(folder, `${chunk}.bin`)
    await writeFile(place, file.bytes(chunk))
    const fields = Object.entries(file.fields(chunk)).map(([name, value]) => [name, String(value)])
    return { ...form, fields, file: place, name: NAME }
  })
  const job = { url: `${landfall.url}/upload/accept`, forms: await Promise.all(forms) }
  const lines = (await startJob(client, job).output).trim().split('\n')
  return lines.map((line) => answerLine.parse(JSON.parse(line)))
}

/** The service has the file: complete says so, its bytes come back, and lie on the disk under its name. */
async function expectFile(file: Cut, answers: readonly Answer[], content: Buffer) {
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  const completed = await complete(landfall.url, { task_id: String(file.fields(0).task_id), filename: NAME })
  const text = await completed.text()
  expect({ status: completed.status, text }).toMatchObject({ status: 200 })
  const { id, url } = z.object({ id: z.string(), url: z.string() }).parse(JSON.parse(text))
  const download = await fetch(new URL(url, landfall.url))
  const sha256 = createHash('sha256').update(content).digest('hex')
  expect(
    createHash('sha256')
      .update(Buffer.from(await download.arrayBuffer()))
      .digest('hex'),
  ).toBe(sha256)
  expect(await storedFile(landfall.dataDir, id)).toMatchObject({ name: NAME, sha256 })
}

describe.each(FORM_CLIENTS)('$name', (client) => {
  it.each([0, 1, 100_000])('sends a file of %d bytes in one request', async (size) => {
    const file = fresh(size)
    await expectFile(file, await send(client, file, [0]), bytesOf(size))
  })

  it.each([
    ['in order', [0, 1, 2]],
    ['with chunk 0 last', [2, 1, 0]],
  ])('sends chunks %s', async (_, chunks) => {
    const file = fresh(2_500_001)
    await expectFile(file, await send(client, file, chunks), bytesOf(2_500_001))
  })
})

describe.each(STREAMING)('$name', (client) => {
  it('sends chunks whose length it does not know', async () => {
    const file = fresh(2_500_001)
    await expectFile(file, await send(client, file, [0, 1, 2], { streamed: true }), bytesOf(2_500_001))
  })
})

describe.each(ORDERING)('$name', (client) => {
  it('hears how to send a form whose fields follow the file', async () => {
    const [answer] = await send(client, fresh(100_000), [0], { fieldsAfter: true })
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('field_after_file') })
  })
})
