import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf, type LegacyAnswer } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { type ChunkFields, type Cut, cut, MULTIPART, multipartBody } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const DATE = 'Mon Nov 23 2026 15:36:49 GMT+0800 (中国标准时间)'

let service: TestService
let tasks = 0
let task: string
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())
beforeEach(() => {
  tasks += 1
  task = `wu_task_of_visitors_${tasks}`
})

/** A browser, with or without a cookie. */
class Browser {
  readonly cookie: string | undefined
  readonly headers: Readonly<Record<string, string>>

  /** @param more further headers. */
  constructor(cookie: string | undefined, more: Readonly<Record<string, string>> = {}) {
    this.cookie = cookie
    this.headers = { ...(cookie === undefined ? {} : { Cookie: cookie }), ...more }
  }

  async send(file: Cut, chunk: number): Promise<LegacyAnswer & { status: number }> {
    const body = multipartBody(file.fields(chunk), file.bytes(chunk))
    const headers = { ...this.headers, 'Content-Type': MULTIPART }
    const response = await fetch(`${service.url}/upload/accept`, { method: 'POST', headers, body })
    return { status: response.status, ...(await answerOf(response)) }
  }

  /** Sends these chunks, and expects success. @returns the last response. */
  async land(file: Cut, ...chunks: readonly number[]): Promise<LegacyAnswer> {
    let last: LegacyAnswer = { ok: false }
    for (const chunk of chunks) {
      last = await this.send(file, chunk)
      expect(last).toMatchObject({ ok: true })
    }
    return last
  }

  /** Sends a part of a chunk and disconnects, which brings the upload to rest. */
  async breakOff(file: Cut, chunk: number): Promise<void> {
    const body = multipartBody(file.fields(chunk), file.bytes(chunk))
    const head = { ...this.headers, 'Content-Type': MULTIPART, 'Content-Length': body.length }
    const wire = await connect(service.url)
    await wire.send(requestHead('POST', '/upload/accept', head), body.subarray(0, -100))
    await wire.cut()
  }

  async check(fields?: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const body = fields === undefined ? 'POST TEST' : new URLSearchParams(fields)
    const response = await fetch(`${service.url}/check`, { method: 'POST', headers: this.headers, body })
    expect(response.status).toBe(200)
    const { file_list }: { file_list: string[][] } = JSON.parse(await response.text())
    return file_list[0] ?? []
  }

  /** @param fields those that name the file. */
  async complete(
    fields: Readonly<Record<string, string>> = { filename: 'big.bin' },
  ): Promise<LegacyAnswer & { status: number }> {
    const query = new URLSearchParams({ task_id: task, ...fields })
    const response = await fetch(`${service.url}/upload/complete?${query}`, { headers: this.headers })
    return { status: response.status, ...(await answerOf(response)) }
  }

  /** Waits until `/check` lists these chunks, because the upload is at rest. */
  async untilNamed(chunks: readonly number[], fields?: Readonly<Record<string, string>>): Promise<void> {
    const names = chunks.map((chunk) => `${task}${chunk}`)
    await until(async () => JSON.stringify(await this.check(fields)) === JSON.stringify(names))
  }
}

async function newBrowser(): Promise<Browser> {
  const response = await fetch(`${service.url}/legacy`)
  await response.arrayBuffer()
  return new Browser(response.headers.get('Set-Cookie')?.split(';')[0])
}

/** A browser whose cookie was issued some time ago. @param age milliseconds. */
function browserSince(age: number): Browser {
  const time = (Date.now() - age).toString(16).padStart(12, '0')
  return new Browser(`landfall_visitor=${time}${randomBytes(10).toString('hex')}`)
}

function fileOf(content: Buffer<ArrayBuffer>, more: Partial<ChunkFields> = {}): Cut {
  return cut(content, 1000, { task_id: task, lastModifiedDate: DATE, ...more })
}

async function expectBytes(answer: LegacyAnswer, content: Buffer): Promise<void> {
  const response = await fetch(`${service.url}${answer.url}`)
  expect(response.status).toBe(200)
  expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
}

const content = bytesOf(4500)

describe('A file that is selected again', () => {
  it.each([
    ['with the same date', DATE],
    ['with the time of the selection instead of the date', '2026/11/23 16:02:13'],
    ['with its date in another time zone', 'Mon Nov 23 2026 07:36:49 GMT+0000 (Coordinated Universal Time)'],
  ])('%s resumes with chunk 0 and the missing chunks', async (_, lastModifiedDate) => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 1, 2)
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    const again = fileOf(content, { id: 'WU_FILE_1', lastModifiedDate })
    const last = await browser.land(again, 0, 3, 4)
    expect(last).toMatchObject({ id, finished: true, received: 4500 })
    await expectBytes(last, content)
    expect(await browser.complete()).toMatchObject({ status: 200, url: last.url })
  })

  it('with another date is another file, and both are stored', async () => {
    const browser = await newBrowser()
    await browser.land(fileOf(content), 0, 1, 2)
    const lastModifiedDate = 'Mon Nov 23 2026 15:36:50 GMT+0800 (中国标准时间)'
    const named = { task_id: task, name: 'big.bin', size: '4500' }
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2], named)
    expect(await browser.check({ ...named, lastModifiedDate })).toEqual([])
    const other = bytesOf(4500, 5)
    const last = await browser.land(fileOf(other, { id: 'WU_FILE_1', lastModifiedDate }), 0, 1, 2, 3, 4)
    await expectBytes(last, other)
    await expectBytes(await browser.land(fileOf(content), 3, 4), content)
  })

  it('resumes immediately after a restart of the service', async () => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 2)
    service = await service.restart()
    // The service has just started: the upload is at rest.
    expect(await browser.check()).toEqual([`${task}2`])
    service = await service.restart()
    const last = await browser.land(fileOf(content, { id: 'WU_FILE_1' }), 0, 1, 3, 4)
    expect(last).toMatchObject({ id, finished: true })
  })

  it('keeps its upload after it finished, even if a late copy of a chunk arrives after a restart', async () => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 1, 2)
    service = await service.restart()
    const again = fileOf(content, { id: 'WU_FILE_1' })
    await browser.land(again, 0, 1, 2, 3, 4)
    service = await service.restart()
    expect(await browser.send(again, 4)).toMatchObject({ status: 200, id, finished: true })
  })

  it('finishes only by complete if no selection of it sent all chunks, and no check listed the others', async () => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 1, 2)
    service = await service.restart()
    // The page skips chunks 1 and 2 from a memory of its own.
    const last = await browser.land(fileOf(content, { id: 'WU_FILE_1' }), 0, 3, 4)
    expect(last).toMatchObject({ id, finished: false, received: 4500 })
    expect(await browser.complete()).toMatchObject({ status: 200, url: last.url })
    await expectBytes(last, content)
  })

  it('is a new upload after it was finished: a name never means two files', async () => {
    const browser = await newBrowser()
    const first = await browser.land(fileOf(content), 0, 1, 2, 3, 4)
    const other = bytesOf(4500, 6)
    const second = await browser.land(fileOf(other, { id: 'WU_FILE_1' }), 0, 1, 2, 3, 4)
    expect(second.id).not.toBe(first.id)
    await expectBytes(first, content)
    await expectBytes(second, other)
  })

  it('holds its other chunks until chunk 0 has joined the upload', async () => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 1, 2)
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    const again = fileOf(content, { id: 'WU_FILE_1' })
    const waiting = browser.send(again, 3)
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    expect(await browser.send(again, 0)).toMatchObject({ status: 200, id })
    expect(await waiting).toMatchObject({ status: 200, id })
    expect(await browser.land(again, 4)).toMatchObject({ id, finished: true })
  })

  it('gets busy for a chunk whose chunk 0 does not arrive within ten seconds, and finishes once it does', async () => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 1, 2)
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    const again = fileOf(content, { id: 'WU_FILE_1' })
    expect(await browser.send(again, 3)).toMatchObject({ status: 409, error: { code: 'busy' } })
    expect(await browser.land(again, 0, 3, 4)).toMatchObject({ id, finished: true })
  })
})

describe('Another file of the same name, size, and date', () => {
  const other = bytesOf(4500, 7)

  it('is refused when the page has skipped chunks of the first, and arrives whole on the second try', async () => {
    const browser = await newBrowser()
    await browser.land(fileOf(content), 0, 1, 2)
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    // Its chunk 0 differs: this is another file, and the page has skipped chunks of it.
    const skipping = fileOf(other, { id: 'WU_FILE_1' })
    expect(await browser.send(skipping, 0)).toMatchObject({ status: 409, error: { code: 'content_differs' } })
    for (let retry = 0; retry < 3; retry++) {
      expect(await browser.send(skipping, 0)).toMatchObject({ status: 409, error: { code: 'wrongly_skipped' } })
    }
    service = await service.restart()
    expect(await browser.check()).toEqual([])
    const last = await browser.land(fileOf(other, { id: 'WU_FILE_2' }), 0, 1, 2, 3, 4)
    await expectBytes(last, other)
    await expectBytes(await browser.land(fileOf(content), 3, 4), content)
  })

  it('of another size is refused at once, and arrives whole on the second try', async () => {
    const browser = await newBrowser()
    await browser.land(fileOf(content), 0, 1, 2)
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    const longer = bytesOf(4600, 8)
    const refused = await browser.send(fileOf(longer, { id: 'WU_FILE_1', name: 'b.bin' }), 0)
    expect(refused).toMatchObject({ status: 409, error: { code: 'wrongly_skipped' } })
    expect(await browser.check()).toEqual([])
    const last = await browser.land(fileOf(longer, { id: 'WU_FILE_2', name: 'b.bin' }), 0, 1, 2, 3, 4)
    await expectBytes(last, longer)
  })

  it('that differs in a later chunk fails in its page, and then arrives whole', async () => {
    const browser = await newBrowser()
    const { id } = await browser.land(fileOf(content), 0, 1, 2)
    const similar = Buffer.concat([content.subarray(0, 1000), bytesOf(3500, 9)])
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    const file = fileOf(similar, { id: 'WU_FILE_1' })
    expect(await browser.land(file, 0)).toMatchObject({ id })
    for (const chunk of [1, 3]) {
      expect(await browser.send(file, chunk)).toMatchObject({ status: 409, error: { code: 'content_differs' } })
    }
    expect(await browser.check()).toEqual([])
    await pause(2_100)
    expect(await browser.land(file, 0, 1, 2, 3, 4)).toMatchObject({ finished: true })
    await expectBytes(await browser.land(file, 0), similar)
  })
})

describe('A chunk after others were skipped from an outdated list', () => {
  it('is stored, but refused when all missing chunks precede it and were listed', async () => {
    const browser = await newBrowser()
    await browser.land(fileOf(content), 0, 1, 2)
    await browser.breakOff(fileOf(content), 4)
    await browser.untilNamed([1, 2])
    // The next response of /check is lost, and the page follows the old list.
    await browser.land(fileOf(content), 3, 4)
    const other = bytesOf(4500, 3)
    await browser.check()
    const file = fileOf(other, { id: 'WU_FILE_1' })
    await browser.land(file, 0, 3)
    expect(await browser.send(file, 4)).toMatchObject({ status: 409, error: { code: 'wrongly_skipped' } })
    expect(await browser.land(file, 1, 2)).toMatchObject({ finished: true })
    await expectBytes(await browser.land(file, 0), other)
  })
})

describe('A file of another visitor with the same fields', () => {
  it.each([
    ['with a cookie of its own', newBrowser],
    ['without a cookie', async () => new Browser(undefined)],
  ])('%s becomes an upload of its own, and reveals nothing', async (_, strangerOf) => {
    const victim = await newBrowser()
    const stranger = await strangerOf()
    const file = fileOf(content)
    const { id } = await victim.land(file, 0, 1)
    const evil = fileOf(bytesOf(4500, 66))
    const named = { task_id: task, name: 'big.bin', size: '4500' }
    for (const fields of [undefined, named, { ...named, id: 'WU_FILE_0', lastModifiedDate: DATE, chunks: '5' }]) {
      expect(await stranger.check(fields)).toEqual([])
    }
    expect((await stranger.complete()).status).toBe(404)
    const theirs = await stranger.land(evil, 2)
    expect(theirs.id).not.toBe(id)
    // A chunk of another size, and a slow one.
    const recut = cut(content, 900, { ...file.fields(0), chunks: 5 })
    expect((await stranger.send(recut, 1)).status).toBe(409)
    const body = multipartBody(file.fields(3), file.bytes(3))
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', '/upload/accept', {
        ...stranger.headers,
        'Content-Type': MULTIPART,
        'Content-Length': body.length,
      }),
      body.subarray(0, -100),
    )
    const last = await victim.land(file, 2, 3, 4)
    await wire.cut()
    expect(last).toMatchObject({ id, finished: true })
    await expectBytes(last, content)
    expect((await stranger.complete()).status).not.toBe(200)
    const whole = { ...named, id: 'WU_FILE_0', lastModifiedDate: DATE, chunks: '5' }
    expect(await stranger.check(whole)).not.toContain(`${task}4`)
  })

  it('without a cookie reveals neither id nor URL of an upload of another sender, and cannot make it fail', async () => {
    const [one, other] = [new Browser(undefined), new Browser(undefined)]
    const { id } = await one.land(fileOf(content), 0, 1)
    expect(id).toBeDefined()
    await one.breakOff(fileOf(content), 4)
    await other.untilNamed([1], { task_id: task, name: 'big.bin', size: '4500' })
    const guess = fileOf(content, { id: 'WU_FILE_7' })
    expect(await other.land(guess, 0)).not.toHaveProperty('id')
    expect(await other.land(guess, 2)).not.toHaveProperty('url')
    const recut = cut(content, 900, { ...guess.fields(0), chunks: 5 })
    expect(await other.send(recut, 3)).toMatchObject({ status: 409, error: { code: 'chunk_size_changed' } })
    const last = await one.land(fileOf(content), 2, 3, 4)
    expect(last).toMatchObject({ id, finished: true })
    expect(await other.complete()).toEqual({ status: 200, ok: true, name: 'big.bin', size: 4500 })
  })
})

describe('A cookie that appears during an upload', () => {
  it('does not move the sender to another upload', async () => {
    const { id } = await new Browser(undefined).land(fileOf(content), 0, 1)
    const browser = await newBrowser()
    expect(await browser.land(fileOf(content), 2, 3, 4)).toMatchObject({ id, finished: true })
    expect((await browser.complete()).status).toBe(200)
  })

  it('does not move it if the cookie was on its way to the browser when the upload began', async () => {
    const browser = await newBrowser()
    const { id } = await new Browser(undefined).land(fileOf(content), 0, 1)
    expect(await browser.land(fileOf(content), 2, 3, 4)).toMatchObject({ id, finished: true })
  })

  it('does not move it after a restart either', async () => {
    const { id } = await new Browser(undefined).land(fileOf(content), 0, 1)
    const browser = await newBrowser()
    service = await service.restart()
    expect(await browser.land(fileOf(content), 2, 3, 4)).toMatchObject({ id, finished: true })
  })
})

describe('A client without a cookie that knows every field of a file', () => {
  it('cannot begin the upload in which the chunks of a visitor end', async () => {
    const visitor = browserSince(2 * 60_000)
    const planted = await new Browser(undefined).land(fileOf(bytesOf(4500, 66)), 0, 1)
    const last = await visitor.land(fileOf(content), 0, 1, 2, 3, 4)
    expect(last).toMatchObject({ finished: true })
    expect(last.id).not.toBe(planted.id)
    await expectBytes(last, content)
  })

  it('cannot take over a file that a visitor with a new cookie begins again after a failure', async () => {
    const visitor = await newBrowser()
    const file = fileOf(content)
    await visitor.land(file, 0, 1)
    await visitor.send(cut(content, 900, { ...file.fields(0), chunks: 5 }), 1)
    const planted = await new Browser(undefined).land(fileOf(bytesOf(4500, 66)), 0, 1)
    const last = await visitor.land(file, 0, 1, 2, 3, 4)
    expect(last.id).not.toBe(planted.id)
    await expectBytes(last, content)
  })

  it('cannot have its finished file confirmed to a visitor whose own is incomplete', async () => {
    const visitor = browserSince(2 * 60_000)
    await new Browser(undefined).land(fileOf(bytesOf(4500, 66)), 0, 1, 2, 3, 4)
    await visitor.land(fileOf(content), 0, 1)
    await visitor.breakOff(fileOf(content), 4)
    expect(await visitor.complete()).toMatchObject({ status: 409, missing: [2, 3, 4] })
  })
})

describe('A client without a cookie in another network', () => {
  const inNetwork = (address: string): Browser => new Browser(undefined, { 'X-Forwarded-For': address })
  beforeAll(() => restartWith({ TRUST_PROXY: 'true' }))
  afterAll(() => restartWith({ TRUST_PROXY: 'false' }))

  async function restartWith(settings: Readonly<Record<string, string>>): Promise<void> {
    service = await service.restart(settings)
  }

  it('cannot begin the upload of a visitor who has no cookie yet', async () => {
    const planted = await inNetwork('192.0.2.1').land(fileOf(bytesOf(4500, 66)), 0, 1)
    const { cookie } = await newBrowser()
    const last = await new Browser(cookie, { 'X-Forwarded-For': '192.0.2.2' }).land(fileOf(content), 0, 1, 2, 3, 4)
    expect(last.id).not.toBe(planted.id)
    await expectBytes(last, content)
  })

  it('receives neither id nor URL, and cannot make the upload fail', async () => {
    const file = fileOf(content)
    const { id } = await inNetwork('192.0.2.1').land(file, 0, 1)
    expect(id).toBeDefined()
    const stranger = inNetwork('192.0.2.2')
    const answer = await stranger.land(file, 1)
    expect(answer).not.toHaveProperty('id')
    expect(answer).not.toHaveProperty('url')
    const recut = cut(content, 900, { ...file.fields(0), chunks: 5 })
    expect(await stranger.send(recut, 1)).toMatchObject({ status: 409, error: { code: 'chunk_size_changed' } })
    expect(await inNetwork('192.0.2.1').land(file, 2, 3, 4)).toMatchObject({ id, finished: true })
  })

  it('continues the upload, because its address may have changed', async () => {
    await inNetwork('192.0.2.1').land(fileOf(content), 0, 1)
    expect(await inNetwork('192.0.2.2').land(fileOf(content), 2, 3, 4)).toMatchObject({ finished: true })
    expect(await inNetwork('192.0.2.2').complete()).toMatchObject({ status: 200 })
  })

  it('learns nothing from complete without a file name', async () => {
    await inNetwork('192.0.2.1').land(fileOf(content), 0, 1, 2, 3, 4)
    expect(await inNetwork('192.0.2.2').complete({ ext: 'bin' })).toMatchObject({ status: 404 })
    expect(await inNetwork('192.0.2.1').complete({ ext: 'bin' })).toMatchObject({ status: 200 })
  })
})

describe('landfall_file', () => {
  it('identifies the sender: equal names, dates, and ids do not mix two files, and a reload resumes', async () => {
    const browser = await newBrowser()
    const marked = (bytes: Buffer<ArrayBuffer>, mark: string): Cut => {
      const file = fileOf(bytes)
      return { ...file, fields: (chunk) => ({ ...file.fields(chunk), landfall_file: mark }) }
    }
    const other = bytesOf(4500, 12)
    const [one, two] = [marked(content, 'one'), marked(other, 'two')]
    for (const chunk of [1, 0, 2]) await browser.land(one, chunk)
    for (const chunk of [3, 1, 0, 2]) await browser.land(two, chunk)
    service = await service.restart()
    await expectBytes(await browser.land(two, 4), other)
    await expectBytes(await browser.land(one, 3, 4), content)
  })
})
