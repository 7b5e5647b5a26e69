/** What the script for old pages needs from the service. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf, land, landAll } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { type Cut, complete, cut, sendChunk } from '../support/webuploader.ts'

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

const FIRST = 'wu_of_the_first_page_load'
const SECOND = 'wu_of_the_second_page_load'
const content = bytesOf(4500)

/** A file that the second page load finishes. @param name of the file. */
async function resumedFile(name: string): Promise<void> {
  const file = cut(content, 1000, { task_id: FIRST, name, landfall_file: `mark of ${name}` })
  for (const chunk of [0, 1, 2]) await sendChunk(service.url, file.fields(chunk), file.bytes(chunk))
  for (const chunk of [3, 4]) {
    const fields = { ...file.fields(chunk), id: 'WU_FILE_7', landfall_task: SECOND }
    const response = await sendChunk(service.url, fields, file.bytes(chunk))
    expect(await response.json()).toMatchObject({ ok: true, finished: chunk === 4 })
  }
}

describe('A file that is resumed after a reload', () => {
  it.each([FIRST, SECOND])('is completed under either task (%s)', async (task) => {
    await resumedFile(`film-of-${task}.mp4`)
    const response = await complete(service.url, { task_id: task, filename: `film-of-${task}.mp4` })
    expect(await response.json()).toMatchObject({ ok: true, name: `film-of-${task}.mp4`, size: content.length })
  })

  it('is completed under the later task if the first try of its chunk failed', async () => {
    const file = cut(content, 1000, { task_id: FIRST, name: 'second-try.mp4', landfall_file: 'mark of the second try' })
    for (const chunk of [0, 1, 2, 3]) await sendChunk(service.url, file.fields(chunk), file.bytes(chunk))
    const fields = { ...file.fields(4), landfall_task: SECOND }
    expect((await sendChunk(service.url, fields, file.bytes(4).subarray(1))).status).toBe(400)
    expect((await sendChunk(service.url, fields, file.bytes(4))).status).toBe(200)
    const response = await complete(service.url, { task_id: SECOND, filename: 'second-try.mp4' })
    expect(await response.json()).toMatchObject({ ok: true, name: 'second-try.mp4' })
  })

  it('is found by its extension and type', async () => {
    await resumedFile('only.zip')
    const response = await complete(service.url, { task_id: SECOND, ext: 'zip', type: 'application/octet-stream' })
    expect(await response.json()).toMatchObject({ ok: true, name: 'only.zip' })
  })

  it('is not found under the name of another file', async () => {
    await resumedFile('there.bin')
    expect((await complete(service.url, { task_id: SECOND, filename: 'elsewhere.bin' })).status).toBe(404)
    expect((await complete(service.url, { task_id: 'wu_of_nobody', filename: 'there.bin' })).status).toBe(404)
  })

  it('is listed by its mark, also without a task', async () => {
    const file = cut(content, 1000, { name: 'no-task.bin', landfall_file: 'mark without a task' })
    const { task_id: _, ...common } = file.common
    for (const chunk of [0, 1, 2]) {
      await sendChunk(service.url, { ...common, chunks: file.count, chunk }, file.bytes(chunk))
    }
    const fields = Object.entries({ ...common, chunks: file.count }).map(([name, value]) => [name, String(value)])
    const response = await fetch(`${service.url}/check`, { method: 'POST', body: new URLSearchParams(fields) })
    expect(await response.json()).toEqual({ file_list: [['1', '2']] })
  })
})

describe('An upload', () => {
  it('is adopted by at most 8 tasks, the latest ones, whose notes displace no others', async () => {
    const file = cut(content, 1000, { task_id: FIRST, name: 'many-tasks.mp4', landfall_file: 'mark of many tasks' })
    const notes = async (folder: string): Promise<number> => (await readdir(path.join(service.dataDir, folder))).length
    const [senders, adoptions] = [await notes('senders'), await notes('adoptions')]
    for (let task = 0; task < 20; task++) {
      const fields = { ...file.fields(0), landfall_task: `wu_of_reload_${task}` }
      await sendChunk(service.url, fields, file.bytes(0))
    }
    expect([await notes('senders'), await notes('adoptions')]).toEqual([senders, adoptions + 8])
    const statusOf = async (task: number): Promise<number> =>
      (await complete(service.url, { task_id: `wu_of_reload_${task}`, filename: 'many-tasks.mp4' })).status
    expect([await statusOf(11), await statusOf(12), await statusOf(19)]).toEqual([404, 409, 409])
  })
})

describe('A complete with the mark of a file', () => {
  /** Two files of one task and name; all chunks of the first are there, and chunk 0 of the second. */
  async function twins(name: string): Promise<{ first: Cut; second: Cut }> {
    const first = cut(bytesOf(4500, 1), 1000, { name, landfall_file: `first ${name}` })
    const second = cut(bytesOf(4600, 2), 1000, { name, landfall_file: `second ${name}` })
    await land(service.url, second, 0)
    await landAll(service.url, first)
    return { first, second }
  }
  const marked = ({ common }: Cut): Record<'task_id' | 'filename' | 'landfall_file', string> => ({
    task_id: String(common.task_id),
    filename: String(common.name),
    landfall_file: String(common.landfall_file),
  })
  const all = (file: Cut): Record<string, string> => {
    const fields = Object.entries(file.fields(file.count - 1)).map(([name, value]) => [name, String(value)])
    return { ...Object.fromEntries(fields), ...marked(file) }
  }
  const ask = async (fields: Readonly<Record<string, string>>): Promise<unknown> => {
    const response = await complete(service.url, fields)
    return { status: response.status, ...(await answerOf(response)) }
  }

  it('does not report another file of the same task and name', async () => {
    const { first, second } = await twins('twins.jpg')
    for (const fields of [all, marked]) {
      expect(await ask(fields(second))).toMatchObject({ status: 409, missing_total: 4 })
      expect(await ask({ ...fields(first), landfall_file: 'of no file' })).toMatchObject({ status: 404 })
    }
    await landAll(service.url, second)
    for (const fields of [all, marked]) {
      expect(await ask(fields(first))).toMatchObject({ status: 200, size: 4500 })
      expect(await ask(fields(second))).toMatchObject({ status: 200, size: 4600 })
    }
  })

  it('finds a resumed file under either task', async () => {
    await resumedFile('resumed.jpg')
    for (const task_id of [FIRST, SECOND]) {
      const fields = { task_id, filename: 'resumed.jpg', landfall_file: 'mark of resumed.jpg' }
      expect(await ask(fields)).toMatchObject({ status: 200, size: content.length })
      expect(await ask({ ...fields, landfall_file: 'of no file' })).toMatchObject({ status: 404 })
    }
  })

  it('finds a file behind many newer ones of its name', async () => {
    const image = (number: number): Cut =>
      cut(bytesOf(10 + number), 1000, { name: 'image.jpg', landfall_file: `image ${number}` })
    for (let number = 0; number <= 20; number++) await land(service.url, image(number), 0)
    expect(await ask(all(image(0)))).toMatchObject({ status: 200, size: 10 })
  })
})

describe('The URL for chunks', () => {
  it('tells a script that this is the service, and gives its visitor a cookie', async () => {
    const response = await fetch(`${service.url}/upload/accept?landfall=1`)
    expect(await response.json()).toEqual({ landfall: 1 })
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.get('Set-Cookie')).toMatch(/^landfall_visitor=/)
  })

  it('names the field of tokens', async () => {
    const settings = { AUTH: 'jwt', JWT_SECRET: 'a secret of tests, of more than 32 bytes', AUTH_FIELD: 'token' }
    const guarded = await startService(settings)
    try {
      const response = await fetch(`${guarded.url}/upload/accept?landfall=1`)
      expect(await response.json()).toEqual({ landfall: 1, field: 'token' })
      expect(response.headers.has('Set-Cookie')).toBe(false)
    } finally {
      await guarded.close()
    }
  })
})
