import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { connect } from '../http/wire.ts'
import { startService, type TestService } from '../support/service.ts'
import { patch } from '../support/tus.ts'
import { BOUNDARY, complete, multipartBody, sendChunk } from '../support/webuploader.ts'
import { bytesOf } from '../tus/steps.ts'
import { answerOf, type CutFile, cut, expectWhole, send } from './steps.ts'

let service: TestService
let tasks = 0

beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

function newTask(): string {
  return `wu_complete_task_${++tasks}`
}

function newFile(taskId: string, name: string, seed: number, length = 25): CutFile {
  return cut(bytesOf(length, seed), 10, name, taskId)
}

async function sendAll(file: CutFile): Promise<string> {
  let url = ''
  for (let chunk = 0; chunk < file.count; chunk++) url = String((await send(service, file, chunk)).url)
  return url
}

describe('/upload/complete', () => {
  it.each([
    ['GET', undefined, undefined],
    ['POST', 'application/x-www-form-urlencoded', (query: URLSearchParams) => query.toString()],
    ['POST', 'application/json', (query: URLSearchParams) => JSON.stringify(Object.fromEntries(query))],
  ])('answers %s %s by file name, and by extension and type', async (method, type, encode) => {
    const taskId = newTask()
    await sendAll(newFile(taskId, '测试 文件.TXT', 1))
    await sendAll(newFile(taskId, 'other.bin', 2))
    for (const query of [
      new URLSearchParams({ task_id: taskId, filename: '测试 文件.TXT' }),
      new URLSearchParams({ task_id: taskId, ext: 'txt', type: 'application/octet-stream' }),
    ]) {
      const response =
        encode === undefined
          ? await fetch(`${service.url}/upload/complete?${query}`)
          : await fetch(`${service.url}/upload/complete`, {
              method,
              headers: { 'Content-Type': String(type) },
              body: encode(query),
            })
      expect(await answerOf(response)).toMatchObject({ ok: true, name: '测试 文件.TXT', size: 25 })
    }
  })

  it('takes from JSON what it knows, whatever else the page says', async () => {
    const taskId = newTask()
    await sendAll(newFile(taskId, 'whole.bin', 1))
    for (const more of [{ ext: null }, { tags: ['a'] }, { user: { id: 1 } }]) {
      const body = JSON.stringify({ task_id: taskId, filename: 'whole.bin', ...more })
      const response = await fetch(`${service.url}/upload/complete`, { method: 'POST', body })
      expect([response.status, await answerOf(response)]).toEqual([200, expect.objectContaining({ name: 'whole.bin' })])
    }
  })

  it('names the chunks that are missing, at most a thousand of them, and loses nothing', async () => {
    const taskId = newTask()
    const file = cut(bytesOf(5_000, 3), 2, 'holes.bin', taskId)
    await send(service, file, 7)
    const response = await complete(service.url, { task_id: taskId, filename: 'holes.bin' })
    const answer = await answerOf(response)
    expect([response.status, answer.error?.code, answer.missing_total]).toEqual([409, 'incomplete', 2_499])
    expect(answer.missing).toEqual([...Array(1_001).keys()].filter((chunk) => chunk !== 7))
  })

  it('knows one candidate whatever it is called', async () => {
    const taskId = newTask()
    await sendAll(newFile(taskId, 'real.bin', 1))
    expect(await answerOf(await complete(service.url, { task_id: taskId, filename: 'x' }))).toMatchObject({
      name: 'real.bin',
    })
  })

  it('does not know a task or file that was never sent', async () => {
    expect((await complete(service.url, { task_id: newTask(), filename: 'x' })).status).toBe(404)
    const taskId = newTask()
    await sendAll(newFile(taskId, 'a.bin', 1))
    await sendAll(newFile(taskId, 'b.bin', 2))
    expect((await complete(service.url, { task_id: taskId, filename: 'c.bin' })).status).toBe(404)
  })

  it('cannot tell which of several unfinished files is meant, until one is finished', async () => {
    const taskId = newTask()
    const files = [1, 2].map((seed) => newFile(taskId, 'same.bin', seed))
    const send1 = (file: CutFile, id: string, chunk: number): Promise<Response> =>
      sendChunk(service.url, { ...file.fieldsOf(chunk), id }, file.bytesOf(chunk))
    const [one, other] = files
    if (one === undefined || other === undefined) throw new Error('two files')
    await send1(one, 'WU_FILE_0', 0)
    await send1(other, 'WU_FILE_1', 0)
    const query = { task_id: taskId, filename: 'same.bin' }
    expect((await answerOf(await complete(service.url, query))).error?.code).toBe('ambiguous')
    for (const chunk of [1, 2]) await send1(other, 'WU_FILE_1', chunk)
    await expectWhole(service, other)
    for (const chunk of [1, 2]) await send1(one, 'WU_FILE_0', chunk)
    // The newest finished one is meant.
    await expectWhole(service, one)
  })

  it('means the finished one of two files of one name, not the one that is on its way', async () => {
    const taskId = newTask()
    const first = newFile(taskId, 'same.bin', 1)
    const url = await sendAll(first)
    const second = { ...newFile(taskId, 'same.bin', 2).fieldsOf(0), id: 'WU_FILE_1' }
    const body = multipartBody(second, bytesOf(10, 2))
    const wire = await connect(service.url)
    await wire.send(
      `POST /upload/accept HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${body.length}\r\n\r\n`,
      body.subarray(0, -20),
    )
    expect((await expectWhole(service, first)).url).toBe(url)
    await wire.send(body.subarray(-20))
    expect((await wire.answer()).status).toBe(200)
    await wire.cut()
    expect((await expectWhole(service, first)).url).toBe(url)
  })

  it('tells id and URL only to a visitor who sent a chunk, or for a task id that cannot be guessed', async () => {
    const file = cut(bytesOf(5, 1), 10, 'a.bin', 'short')
    const asked = await fetch(`${service.url}/check`, { method: 'POST', body: 'POST TEST' })
    const cookie = asked.headers.get('Set-Cookie')?.split(';')[0] ?? ''
    expect(asked.headers.get('Set-Cookie')).toMatch(/httponly/i)
    await fetch(`${service.url}/upload/accept`, {
      method: 'POST',
      headers: { cookie, 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: multipartBody(file.fields, file.bytes),
    })
    const query = { task_id: 'short', filename: 'a.bin' }
    const stranger = await answerOf(await complete(service.url, query))
    expect(stranger).toEqual({ ok: true, name: 'a.bin', size: 5 })
    const again = await fetch(`${service.url}/upload/complete?${new URLSearchParams(query)}`, { headers: { cookie } })
    expect(await answerOf(again)).toMatchObject({ url: expect.stringMatching(/^\/files\//) })
  })
})

describe('/check', () => {
  async function check(target: TestService, body: string, headers: Record<string, string> = {}): Promise<unknown> {
    const response = await fetch(`${target.url}/check`, { method: 'POST', body, headers })
    expect(response.status).toBe(200)
    return JSON.parse(await response.text())
  }

  it.each(['POST TEST', '', '{', 'task_id=x', 'size=-1&task_id=a&name=b', 'x'.repeat(100_000)])(
    'answers anything it does not understand with an empty list: %.20s',
    async (body) => {
      expect(await check(service, body)).toEqual({ file_list: [[]] })
    },
  )

  it('lists the chunks of the file that is named, as a form, JSON, or query', async () => {
    const taskId = newTask()
    const file = newFile(taskId, 'named.bin', 1, 45)
    for (const chunk of [0, 3]) await send(service, file, chunk)
    const query = new URLSearchParams({ task_id: taskId, name: 'named.bin', size: '45' })
    const expected = { file_list: [[`${taskId}0`, `${taskId}3`]] }
    expect(await check(service, query.toString())).toEqual(expected)
    expect(await check(service, JSON.stringify({ task_id: taskId, name: 'named.bin', size: 45 }))).toEqual(expected)
    expect(JSON.parse(await (await fetch(`${service.url}/check?${query}`, { method: 'POST' })).text())).toEqual(
      expected,
    )
    expect(
      await check(service, new URLSearchParams({ task_id: taskId, name: 'named.bin', size: '46' }).toString()),
    ).toEqual({
      file_list: [[]],
    })
  })

  it('never lists chunks of another file: an edited one of the same name and size is sent as a whole', async () => {
    const taskId = newTask()
    const before = newFile(taskId, 'edited.bin', 1, 45)
    await sendAll(before)
    const named = { task_id: taskId, name: 'edited.bin', size: '45' }
    const edited = { ...named, id: 'WU_FILE_1', lastModifiedDate: 'Tue Nov 24 2026' }
    for (const fields of [named, edited, { ...edited, id: 'WU_FILE_0' }]) {
      expect(await check(service, new URLSearchParams(fields).toString())).toEqual({ file_list: [[]] })
    }
    const same = { ...named, id: 'WU_FILE_0', lastModifiedDate: String(before.fields.lastModifiedDate) }
    expect(await check(service, new URLSearchParams(same).toString())).toEqual({
      file_list: [[0, 1, 2, 3, 4].map((chunk) => `${taskId}${chunk}`)],
    })
  })

  it('finds the file among many of its name and task without opening them', async () => {
    const taskId = newTask()
    const file = newFile(taskId, 'image.jpg', 1, 45)
    const fieldsOf = (id: number) => ({ ...file.fieldsOf(0), id: `WU_FILE_${id}` })
    const bytes = file.bytesOf(0)
    for (let id = 0; id < 600; id += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, at) => sendChunk(service.url, fieldsOf(id + at), bytes)))
    }
    const query = new URLSearchParams(Object.entries(fieldsOf(7)).map(([name, value]) => [name, String(value)]))
    const begin = performance.now()
    expect(await check(service, query.toString())).toEqual({ file_list: [[`${taskId}0`]] })
    expect(performance.now() - begin).toBeLessThan(500)
  })

  it.each([
    ['safe', (fields: URLSearchParams) => fields.toString()],
    ['list', () => 'POST TEST'],
  ])(
    'names no more chunks than fit into a few MiB, however long the task id is: LEGACY_CHECK=%s',
    async (mode, body) => {
      const target = await startService({ LEGACY_CHECK: mode })
      try {
        const asked = await fetch(`${target.url}/check`, { method: 'POST', body: 'POST TEST' })
        const cookie = asked.headers.get('Set-Cookie')?.split(';')[0] ?? ''
        const [size, taskId] = [2000, '"'.repeat(3000)]
        for (const name of ['one.bin', 'two.bin']) {
          const query = new URLSearchParams({
            task_id: taskId,
            name,
            size: String(size),
            chunks: String(size),
            chunk: '0',
          })
          const first = await fetch(`${target.url}/upload/accept?${query}`, {
            method: 'POST',
            headers: { Cookie: cookie },
            body: Buffer.alloc(1),
          })
          // The other chunks come by tus, all in one request but the last.
          const { url } = await answerOf(first)
          expect((await patch(`${target.url}${url}`, 1, Buffer.alloc(size - 2))).status).toBe(204)
        }
        const fields = new URLSearchParams({ task_id: taskId, name: 'one.bin', size: String(size) })
        const response = await fetch(`${target.url}/check`, {
          method: 'POST',
          headers: { Cookie: cookie },
          body: body(fields),
        })
        const text = await response.text()
        expect(text.length).toBeLessThan(9 * 1024 * 1024)
        const { file_list }: { file_list: string[][] } = JSON.parse(text)
        const named = file_list[0] ?? []
        expect(named.length).toBeGreaterThan(1000)
        expect(named.slice(0, 3)).toEqual([`${taskId}0`, `${taskId}1`, `${taskId}2`])
      } finally {
        await target.close()
      }
    },
  )

  it('gives the cookie to nobody else: sending the fields of a file does not make its visitor', async () => {
    const file = newFile('short-task', 'mine.bin', 1)
    const first = await sendChunk(service.url, file.fieldsOf(0), file.bytesOf(0))
    expect(first.headers.get('Set-Cookie')).toBeNull()
  })

  it('with LEGACY_CHECK=list lists what this visitor has left unfinished, also after a restart, and nobody else', async () => {
    let listing = await startService({ LEGACY_CHECK: 'list' })
    const first = await fetch(`${listing.url}/check`, { method: 'POST', body: 'POST TEST' })
    const cookie = first.headers.get('Set-Cookie')?.split(';')[0] ?? ''
    const taskId = newTask()
    const file = newFile(taskId, 'left.bin', 1, 45)
    const sendAs = async (chunk: number, id: string): Promise<unknown> => {
      const form = new FormData()
      for (const [name, value] of Object.entries({ ...file.fieldsOf(chunk), id })) form.set(name, String(value))
      form.set('file', new Blob([file.bytesOf(chunk)]), 'left.bin')
      const response = await fetch(`${listing.url}/upload/accept`, { method: 'POST', headers: { cookie }, body: form })
      return JSON.parse(await response.text())
    }
    await sendAs(1, 'WU_FILE_0')
    await sendAs(4, 'WU_FILE_0')
    const expected = { file_list: [[`${taskId}1`, `${taskId}4`]] }
    expect(await check(listing, 'POST TEST', { cookie })).toEqual(expected)
    expect(await check(listing, 'POST TEST')).toEqual({ file_list: [[]] })
    listing = await listing.restart()
    expect(await check(listing, 'POST TEST', { cookie })).toEqual(expected)
    // Chosen again, the file has another id, and goes on in the same upload.
    for (const chunk of [0, 2, 3]) await sendAs(chunk, 'WU_FILE_1')
    await expectWhole(listing, file)
    expect(await check(listing, 'POST TEST', { cookie })).toEqual({ file_list: [[]] })
    await listing.close()
  })
})
