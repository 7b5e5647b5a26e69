/** What the script for old pages needs from the service. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'

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
