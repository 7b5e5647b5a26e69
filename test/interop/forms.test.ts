import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { storedFile } from '../support/sample-files.ts'
import { type Cut, complete, cut } from '../support/webuploader.ts'
import { FORM_CLIENTS, type FormClient } from './clients.ts'
import { startJob } from './job.ts'

const NAME = `测试 文件 "a" 'b'.bin`
const CHUNK_SIZE = 1_000_000

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

/** A file to send. */
interface Sample extends Cut {
  readonly taskId: string
}

function sample(size: number): Sample {
  const taskId = `wu_${randomUUID()}`
  return { ...cut(bytesOf(size), CHUNK_SIZE, { task_id: taskId, name: NAME }), taskId }
}

interface Way {
  readonly streamed?: boolean
  readonly fieldsAfter?: boolean
}

/** Sends chunks one after the other, each named by its file and number. */
async function send(client: FormClient, chunks: readonly (readonly [Sample, number])[], way: Way = {}) {
  const folder = await mkdtemp(path.join(files.path, 'chunks-'))
  const forms = chunks.map(async ([file, chunk], turn) => {
    const place = path.join(folder, `${turn}.bin`)
    await writeFile(place, file.bytes(chunk))
    const fields = Object.entries(file.fields(chunk)).map(([name, value]) => [name, String(value)])
    return { ...way, fields, file: place, name: NAME }
  })
  const job = { url: `${landfall.url}/upload/accept`, forms: await Promise.all(forms) }
  const lines = (await startJob(client, job).output).trim().split('\n')
  return lines.map((line) => answerLine.parse(JSON.parse(line)))
}

const accepted = z.object({ id: z.string(), url: z.string() })
type Accepted = z.infer<typeof accepted>

function expectAccepted(answers: readonly Answer[]): readonly Accepted[] {
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  return answers.map(({ body }) => accepted.parse(JSON.parse(body)))
}

/** Expects the file in `/upload/complete`, in the download, and on disk. */
async function expectFile({ taskId, content }: Sample, answer: Accepted | undefined) {
  const completed = await complete(landfall.url, { task_id: taskId, filename: NAME })
  expect({ status: completed.status, text: await completed.text() }).toMatchObject({ status: 200 })
  const { id, url } = accepted.parse(answer)
  const download = await fetch(new URL(url, landfall.url))
  expect(sha256(Buffer.from(await download.arrayBuffer()))).toBe(sha256(content))
  expect(await storedFile(landfall.dataDir, id)).toMatchObject({ name: NAME, sha256: sha256(content) })
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe.each(FORM_CLIENTS)('$name', (client) => {
  it('sends files of 0, 1, and 100,000 bytes, each in one request', async () => {
    const whole = [0, 1, 100_000].map(sample)
    const answers = expectAccepted(
      await send(
        client,
        whole.map((file) => [file, 0]),
      ),
    )
    for (const [turn, file] of whole.entries()) await expectFile(file, answers[turn])
  })

  it.each([
    ['in order', [0, 1, 2]],
    ['with chunk 0 last', [2, 1, 0]],
  ])('sends chunks %s', async (_, order) => {
    const file = sample(2_500_001)
    const [answer] = expectAccepted(
      await send(
        client,
        order.map((chunk) => [file, chunk]),
      ),
    )
    await expectFile(file, answer)
  })
})

describe.each(FORM_CLIENTS.filter(({ streams }) => streams))('$name', (client) => {
  it('sends chunks of unknown length', async () => {
    const file = sample(2_500_001)
    const chunks = [0, 1, 2].map((chunk): [Sample, number] => [file, chunk])
    const [answer] = expectAccepted(await send(client, chunks, { streamed: true }))
    await expectFile(file, answer)
  })
})

describe.each(FORM_CLIENTS.filter(({ ordersFields }) => ordersFields))('$name', (client) => {
  it('receives field_after_file when the fields follow the file', async () => {
    const [answer] = await send(client, [[sample(100_000), 0]], { fieldsAfter: true })
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('field_after_file') })
  })
})
