import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf, expectWhole, land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { patch } from '../support/tus.ts'
import { BOUNDARY, type Cut, complete, cut, multipartBody, sendChunk } from '../support/webuploader.ts'
import { connect, until } from '../support/wire.ts'

let service: TestService
let tasks = 0

beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

function newTask(): string {
  return `wu_complete_task_${++tasks}`
}

function newFile(taskId: string, name: string, seed: number, length = 25): Cut {
  return cut(bytesOf(length, seed), 10, { name, task_id: taskId })
}

function withId(file: Cut, id: string): Cut {
  return { ...file, common: { ...file.common, id }, fields: (chunk) => ({ ...file.fields(chunk), id }) }
}

async function sendAll(file: Cut): Promise<string> {
  let url = ''
  for (let chunk = 0; chunk < file.count; chunk++) url = String((await land(service.url, file, chunk)).url)
  return url
}

describe('/upload/complete', () => {
  it.each([
    ['GET', undefined, undefined],
    ['POST', 'application/x-www-form-urlencoded', (query: URLSearchParams) => query.toString()],
    ['POST', 'application/json', (query: URLSearchParams) => JSON.stringify(Object.fromEntries(query))],
  ])('responds to %s %s by file name, and by extension and type', async (method, type, encode) => {
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

  it('reads the known fields of JSON, whatever else the page sends', async () => {
    const taskId = newTask()
    await sendAll(newFile(taskId, 'whole.bin', 1))
    for (const more of [{ ext: null }, { tags: ['a'] }, { user: { id: 1 } }]) {
      const body = JSON.stringify({ task_id: taskId, filename: 'whole.bin', ...more })
      const response = await fetch(`${service.url}/upload/complete`, { method: 'POST', body })
      expect([response.status, await answerOf(response)]).toEqual([200, expect.objectContaining({ name: 'whole.bin' })])
    }
  })

  it('lists the missing chunks, at most a thousand of them, and loses nothing', async () => {
    const taskId = newTask()
    const file = cut(bytesOf(5_000, 3), 2, { name: 'holes.bin', task_id: taskId })
    await land(service.url, file, 7)
    const response = await complete(service.url, { task_id: taskId, filename: 'holes.bin' })
    const answer = await answerOf(response)
    expect([response.status, answer.error?.code, answer.missing_total]).toEqual([409, 'incomplete', 2_499])
    expect(answer.missing).toEqual([...Array(1_001).keys()].filter((chunk) => chunk !== 7))
  })

  it('returns 404 for a task or file that was never sent', async () => {
    expect((await complete(service.url, { task_id: newTask(), filename: 'x' })).status).toBe(404)
    const taskId = newTask()
    await sendAll(newFile(taskId, 'a.bin', 1))
    expect((await complete(service.url, { task_id: taskId, filename: 'c.bin' })).status).toBe(404)
    await sendAll(newFile(taskId, 'b.bin', 2))
    expect((await complete(service.url, { task_id: taskId, filename: 'c.bin' })).status).toBe(404)
  })

  it('means the newest unconfirmed file of a name, or else the most recently fed one', async () => {
    const taskId = newTask()
    const [one, other] = ['WU_FILE_0', 'WU_FILE_1'].map((id, at) => withId(newFile(taskId, 'same.bin', at + 1), id))
    if (one === undefined || other === undefined) throw new Error('There must be two files.')
    const asked = async (): Promise<unknown> => {
      const response = await complete(service.url, { task_id: taskId, filename: 'same.bin' })
      return [response.status, (await answerOf(response)).missing]
    }
    for (const chunk of [0, 1]) await land(service.url, one, chunk)
    await land(service.url, other, 0)
    expect(await asked()).toEqual([409, [1, 2]])
    await land(service.url, one, 2)
    expect(await asked()).toEqual([200, undefined])
    await land(service.url, other, 1)
    // The finished file is confirmed, so the page now means its other one.
    expect(await asked()).toEqual([409, [2]])
    await land(service.url, other, 2)
    expect(await asked()).toEqual([200, undefined])
    for (const file of [one, other]) await expectWhole(service, file)
  })

  it('remembers across a restart which file it has confirmed', async () => {
    let restarted = await startService()
    try {
      const [one, other] = ['WU_FILE_0', 'WU_FILE_1'].map((id, at) =>
        withId(newFile('wu_confirmed', 'same.bin', at), id),
      )
      if (one === undefined || other === undefined) throw new Error('There must be two files.')
      for (const chunk of [0, 1, 2]) await land(restarted.url, one, chunk)
      const query = { task_id: 'wu_confirmed', filename: 'same.bin' }
      expect((await complete(restarted.url, query)).status).toBe(200)
      await land(restarted.url, other, 0)
      restarted = await restarted.restart()
      expect((await complete(restarted.url, query)).status).toBe(409)
    } finally {
      await restarted.close()
    }
  })

  it('means the finished one of two files of one name, not the unfinished one', async () => {
    const taskId = newTask()
    const first = newFile(taskId, 'same.bin', 1)
    const url = await sendAll(first)
    const second = { ...newFile(taskId, 'same.bin', 2).fields(0), id: 'WU_FILE_1' }
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
  })

  it('finds a name in either normalization form, and an extension with or without its dot', async () => {
    for (const [sent, asked] of [
      ['re\u0301sume\u0301.mp4', 'r\u00e9sum\u00e9.mp4'],
      ['r\u00e9sum\u00e9.mp4', 're\u0301sume\u0301.mp4'],
      ['r\u00e9sume\u0301.mp4', 're\u0301sum\u00e9.mp4'],
    ] as const) {
      const taskId = newTask()
      await sendAll(newFile(taskId, sent, 1))
      for (const more of [{ filename: asked }, { ext: '.mp4' }, { ext: 'mp4' }, { ext: '.MP4' }]) {
        const response = await complete(service.url, { task_id: taskId, ...more })
        expect([response.status, await answerOf(response)]).toEqual([200, expect.objectContaining({ name: sent })])
      }
      expect((await complete(service.url, { task_id: taskId, ext: 'p4' })).status).toBe(404)
    }
  })

  it('means, without a name, the only file of its task, and none of several', async () => {
    const taskId = newTask()
    await sendAll(newFile(taskId, 'a.bin', 1))
    expect((await complete(service.url, { task_id: taskId })).status).toBe(200)
    await sendAll(newFile(taskId, 'b.bin', 2))
    const response = await complete(service.url, { task_id: taskId })
    expect([response.status, (await answerOf(response)).error?.code]).toEqual([409, 'ambiguous'])
  })

  it('refuses a task id of more than 512 bytes, as accept does, while /check lists nothing', async () => {
    const longest = '任'.repeat(170)
    for (const [taskId, status] of [
      [`${longest}ab`, 200],
      [`${longest}abc`, 400],
    ] as const) {
      const file = newFile(taskId, 'a.bin', 1)
      const sent = await sendChunk(service.url, file.fields(0), file.bytes(0))
      expect(sent.status).toBe(status)
      if (status === 400) expect((await answerOf(sent)).error?.message).toMatch(/"task_id" is longer than 512 bytes\.$/)
      const asked = await complete(service.url, { task_id: taskId, filename: 'a.bin' })
      expect(asked.status).toBe(status === 200 ? 409 : 400)
      const query = new URLSearchParams({ task_id: taskId, name: 'a.bin', size: '25' })
      const checked = await fetch(`${service.url}/check`, { method: 'POST', body: query })
      expect([checked.status, await checked.json()]).toEqual([200, { file_list: [[]] }])
    }
  })
})

describe('/check', () => {
  async function check(target: TestService, body: string, headers: Record<string, string> = {}): Promise<unknown> {
    const response = await fetch(`${target.url}/check`, { method: 'POST', body, headers })
    expect(response.status).toBe(200)
    return JSON.parse(await response.text())
  }

  it.each(['POST TEST', '', '{', 'task_id=x', 'size=-1&task_id=a&name=b', 'x'.repeat(100_000)])(
    'returns an empty list for anything unknown: %.20s',
    async (body) => {
      expect(await check(service, body)).toEqual({ file_list: [[]] })
    },
  )

  it('lists the chunks of the named file, from a form, JSON, or a query', async () => {
    const taskId = newTask()
    const file = newFile(taskId, 'named.bin', 1, 45)
    for (const chunk of [0, 3]) await land(service.url, file, chunk)
    const query = new URLSearchParams({ task_id: taskId, name: 'named.bin', size: '45' })
    // Never chunk 0, which proves that the file is the same.
    const expected = { file_list: [[`${taskId}3`]] }
    await until(async () => JSON.stringify(await check(service, query.toString())) === JSON.stringify(expected))
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

  it('never lists chunks of another file: an edited one of the same name and size is sent whole', async () => {
    const taskId = newTask()
    const before = newFile(taskId, 'edited.bin', 1, 45)
    await sendAll(before)
    const named = { task_id: taskId, name: 'edited.bin', size: '45' }
    const edited = { ...named, id: 'WU_FILE_1', lastModifiedDate: 'Tue Nov 24 2026' }
    for (const fields of [named, edited, { ...edited, id: 'WU_FILE_0' }]) {
      expect(await check(service, new URLSearchParams(fields).toString())).toEqual({ file_list: [[]] })
    }
    const same = { ...named, id: 'WU_FILE_0', lastModifiedDate: String(before.common.lastModifiedDate) }
    expect(await check(service, new URLSearchParams(same).toString())).toEqual({
      file_list: [[1, 2, 3, 4].map((chunk) => `${taskId}${chunk}`)],
    })
  })

  it('finds a file among many of its name and task', async () => {
    const taskId = newTask()
    const fileOf = (id: number) => withId(newFile(taskId, 'image.jpg', id, 45), `WU_FILE_${id}`)
    for (let id = 0; id < 40; id++) await land(service.url, fileOf(id), 0)
    const file = fileOf(7)
    await land(service.url, file, 3)
    const query = new URLSearchParams(Object.entries(file.fields(0)).map(([name, value]) => [name, String(value)]))
    expect(await check(service, query.toString())).toEqual({ file_list: [[`${taskId}3`]] })
  })

  it.each([
    ['safe', (fields: URLSearchParams) => fields.toString()],
    ['list', () => 'POST TEST'],
  ])('lists no more chunks than fit into 256 KiB, however long the task id: LEGACY_CHECK=%s', async (mode, body) => {
    let target = await startService({ LEGACY_CHECK: mode })
    try {
      const asked = await fetch(`${target.url}/check`, { method: 'POST', body: 'POST TEST' })
      const cookie = asked.headers.get('Set-Cookie')?.split(';')[0] ?? ''
      const [size, taskId] = [2000, '"'.repeat(512)]
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
        // tus sends the other chunks, all but the last in one request.
        const { url } = await answerOf(first)
        expect((await patch(`${target.url}${url}`, 1, Buffer.alloc(size - 2))).status).toBe(204)
      }
      const fields = new URLSearchParams({ task_id: taskId, name: 'one.bin', size: String(size) })
      target = await target.restart()
      const response = await fetch(`${target.url}/check`, {
        method: 'POST',
        headers: { Cookie: cookie },
        body: body(fields),
      })
      const text = await response.text()
      expect(text.length).toBeLessThan(257 * 1024)
      const { file_list }: { file_list: string[][] } = JSON.parse(text)
      const named = file_list[0] ?? []
      expect(named.length).toBeGreaterThan(200)
      expect(named.slice(0, 3)).toEqual([`${taskId}1`, `${taskId}2`, `${taskId}3`])
    } finally {
      await target.close()
    }
  })

  it('gives the cookie to no other client, even with the fields of the file', async () => {
    const file = newFile('short-task', 'mine.bin', 1)
    const first = await sendChunk(service.url, file.fields(0), file.bytes(0))
    expect(first.headers.get('Set-Cookie')).toBeNull()
  })

  it('lists, with LEGACY_CHECK=list, the unfinished uploads of this visitor only, also after a restart', async () => {
    let listing = await startService({ LEGACY_CHECK: 'list' })
    const first = await fetch(`${listing.url}/check`, { method: 'POST', body: 'POST TEST' })
    const cookie = first.headers.get('Set-Cookie')?.split(';')[0] ?? ''
    const taskId = newTask()
    const file = newFile(taskId, 'left.bin', 1, 45)
    const sendAs = async (chunk: number, id: string): Promise<unknown> => {
      const form = new FormData()
      for (const [name, value] of Object.entries({ ...file.fields(chunk), id })) form.set(name, String(value))
      form.set('file', new Blob([file.bytes(chunk)]), 'left.bin')
      const response = await fetch(`${listing.url}/upload/accept`, { method: 'POST', headers: { cookie }, body: form })
      return JSON.parse(await response.text())
    }
    for (const chunk of [0, 1, 4]) await sendAs(chunk, 'WU_FILE_0')
    const expected = { file_list: [[`${taskId}1`, `${taskId}4`]] }
    const named = async () => JSON.stringify(await check(listing, 'POST TEST', { cookie }))
    await until(async () => (await named()) === JSON.stringify(expected))
    expect(await check(listing, 'POST TEST')).toEqual({ file_list: [[]] })
    listing = await listing.restart()
    expect(await check(listing, 'POST TEST', { cookie })).toEqual(expected)
    // Chosen again, the file has another id, and goes on in the same upload.
    for (const chunk of [0, 2, 3]) expect(await sendAs(chunk, 'WU_FILE_1')).toMatchObject({ ok: true })
    const query = new URLSearchParams({ task_id: taskId, filename: 'left.bin' })
    const completed = await fetch(`${listing.url}/upload/complete?${query}`, { headers: { cookie } })
    const { url } = await answerOf(completed)
    const download = await fetch(`${listing.url}${url}`)
    expect(Buffer.from(await download.arrayBuffer()).equals(file.content)).toBe(true)
    expect(await check(listing, 'POST TEST', { cookie })).toEqual({ file_list: [[]] })
    await listing.close()
  })
})
