import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { expectAccepted, expectFile } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { TUS } from '../support/tus.ts'
import { cut, MULTIPART, multipartBody } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

describe('A bare /check with LEGACY_CHECK=list', () => {
  const content = bytesOf(2500)
  const file = cut(content, 1000, { task_id: 'wu_listed' })
  let service: TestService
  let mine: string
  beforeEach(async () => {
    service = await startService({ LEGACY_CHECK: 'list' })
    mine = await newVisitor()
  })
  afterEach(() => service.close())

  async function newVisitor(): Promise<string> {
    const response = await fetch(`${service.url}/check`, { method: 'POST', body: 'POST TEST' })
    const cookie = response.headers.get('Set-Cookie') ?? ''
    expect(cookie).toMatch(/; httponly/i)
    expect(cookie).toMatch(/; samesite=lax/i)
    expect(cookie).not.toMatch(/; secure/i)
    expect(await response.json()).toEqual({ file_list: [[]] })
    return cookie.split(';')[0] ?? ''
  }

  async function listed(cookie: string): Promise<unknown> {
    const headers = { Cookie: cookie }
    const response = await fetch(`${service.url}/check`, { method: 'POST', headers, body: 'POST TEST' })
    expect(response.status).toBe(200)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    return response.json()
  }

  async function sendAs(cookie: string, chunk: number) {
    const headers = { 'Content-Type': MULTIPART, Cookie: cookie }
    const body = multipartBody(file.fields(chunk), file.bytes(chunk))
    return expectAccepted(await fetch(`${service.url}/upload/accept`, { method: 'POST', headers, body }))
  }

  /** Waits for this list: an upload is listed only at rest. */
  function untilListed(cookie: string, names: readonly string[]): Promise<void> {
    return until(async () => JSON.stringify(await listed(cookie)) === JSON.stringify({ file_list: [names] }))
  }

  it('lists nothing while a chunk is in flight, and the stored chunks when that broke off', async () => {
    for (const chunk of [0, 2]) await sendAs(mine, chunk)
    await untilListed(mine, ['wu_listed2'])
    const body = multipartBody(file.fields(1), file.bytes(1))
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', '/upload/accept', {
        'Content-Type': MULTIPART,
        'Content-Length': body.length,
        Cookie: mine,
      }),
      body.subarray(0, body.length - 500),
    )
    await untilListed(mine, [])
    await wire.cut()
    await untilListed(mine, ['wu_listed2'])
    const last = await sendAs(mine, 1)
    expect(last.finished).toBe(true)
    await expectFile(service, last, content)
    expect(await listed(mine)).toEqual({ file_list: [[]] })
  })

  it('lists nothing of another visitor, nor for a forged cookie', async () => {
    for (const chunk of [0, 1]) await sendAs(mine, chunk)
    await untilListed(mine, ['wu_listed1'])
    const theirs = await newVisitor()
    expect(theirs).not.toBe(mine)
    for (const cookie of [theirs, 'landfall_visitor=', 'landfall_visitor=../../records', 'landfall_visitor=*', '']) {
      expect(await listed(cookie)).toEqual({ file_list: [[]] })
    }
    expect(await listed(mine)).toEqual({ file_list: [['wu_listed1']] })
  })

  it('lists nothing of a deleted upload', async () => {
    await sendAs(mine, 0)
    const { url } = await sendAs(mine, 1)
    await untilListed(mine, ['wu_listed1'])
    expect((await fetch(new URL(url, service.url), { method: 'DELETE', headers: TUS })).status).toBe(204)
    expect(await listed(mine)).toEqual({ file_list: [[]] })
    for (const chunk of [0, 1]) await sendAs(mine, chunk)
    await untilListed(mine, ['wu_listed1'])
    await expectFile(service, await sendAs(mine, 2), content)
  })

  it.each([
    ['no bytes', ''],
    ['a brace', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['objects in place of texts', '{"task_id":{}}'],
    ['control characters', '\u0000\u0001'],
    ['broken escapes', '%zz=%'],
    ['thousands of fields', 'a=1&'.repeat(5000)],
    ['a megabyte', 'x'.repeat(1_000_000)],
  ])('returns 200 for a body of %s, and the chunks still count', async (_, body) => {
    await sendAs(mine, 0)
    for (const type of ['application/json', 'text/plain', 'multipart/form-data']) {
      const response = await fetch(`${service.url}/check`, { method: 'POST', headers: { 'Content-Type': type }, body })
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ file_list: [[]] })
    }
    await sendAs(mine, 1)
    await expectFile(service, await sendAs(mine, 2), content)
  })
})
