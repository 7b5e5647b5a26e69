import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { type Cut, complete, cut } from '../support/webuploader.ts'
import { type Answer, connect } from '../support/wire.ts'
import { type Form, NAME, requestOf, SENDERS, type Sender } from './recorded-forms.ts'

const accepted = z.object({ id: z.string(), url: z.string() })
type Accepted = z.infer<typeof accepted>

const content = bytesOf(2500)
let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

function fresh(chunkSize: number): Cut {
  return cut(content, chunkSize, { task_id: `wu_${randomUUID()}`, name: NAME })
}

function formOf(file: Cut, chunk: number): Form {
  const fields = Object.entries(file.fields(chunk)).map(([name, value]): [string, string] => [name, String(value)])
  return { fields: Object.fromEntries(fields), bytes: file.bytes(chunk) }
}

/** Sends a form as the client does, on a connection of its own. */
async function send(sender: Sender, form: Form): Promise<Answer> {
  const { head, body } = requestOf(sender, new URL(service.url).host, form)
  const wire = await connect(service.url)
  try {
    await wire.send(head)
    if (head.includes('100-continue')) expect((await wire.next()).status).toBe(100)
    await wire.send(body)
    return await wire.answer()
  } finally {
    await wire.cut()
  }
}

/**
 * Expects the form to be accepted. A chunk without Content-Length may need a second request, because its offset is
 * unknown at first.
 */
async function expectAccepted(sender: Sender, form: Form): Promise<Accepted> {
  let answer = await send(sender, form)
  if (sender.pieces !== undefined && answer.status === 409) answer = await send(sender, form)
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 })
  return accepted.parse(JSON.parse(answer.body))
}

/** Expects the finished file of the task with this content. @returns its name. */
async function expectFile(file: Cut, { id, url }: Accepted): Promise<string> {
  const response = await complete(service.url, { task_id: String(file.fields(0).task_id) })
  const text = await response.text()
  expect({ status: response.status, text }).toMatchObject({ status: 200 })
  const { name } = z.object({ name: z.string() }).parse(JSON.parse(text))
  const download = await fetch(new URL(url, service.url))
  expect(Buffer.from(await download.arrayBuffer()).equals(content)).toBe(true)
  expect((await readFile(path.join(service.dataDir, 'files', id, name))).equals(content)).toBe(true)
  return name
}

describe.each(SENDERS)('A form of $name', (sender) => {
  it('becomes a file', async () => {
    const file = fresh(5000)
    expect(await expectFile(file, await expectAccepted(sender, formOf(file, 0)))).toBe(NAME)
  })

  it.each([[[0, 1, 2]], [[2, 1, 0]]])('becomes a file when its chunks arrive in the order %j', async (order) => {
    const file = fresh(1000)
    const answers: Accepted[] = []
    for (const chunk of order) answers.push(await expectAccepted(sender, formOf(file, chunk)))
    const [answer] = answers
    expect(answer).toBeDefined()
    if (answer !== undefined) expect(await expectFile(file, answer)).toBe(NAME)
  })

  it('becomes a file without the field "name"', async () => {
    const file = fresh(5000)
    const { fields, bytes } = formOf(file, 0)
    const { name: _, ...others } = fields
    await expectFile(file, await expectAccepted(sender, { fields: others, bytes }))
  })

  it('is refused with field_after_file when its fields follow the file', async () => {
    const { status, body } = await send(sender, { ...formOf(fresh(5000), 0), fieldsAfter: true })
    expect({ status, body }).toMatchObject({ status: 400, body: expect.stringContaining('"field_after_file"') })
  })
})
