/** Clients of the published RFC send no interop version: the service responds in the newest known version. */

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { ask, createUpload, expectComplete, type Headers, PARTIAL, received } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { createUpload as createByTus, locationOf, patch } from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

const content = bytesOf(10_000)
const SIZE = String(content.length)
let service: TestService
beforeEach(async () => {
  service = await startService({ MAX_SIZE: '1000000' })
})
afterEach(() => service.close())

/** Without a version. */
const create = (complete: string, body?: Buffer<ArrayBuffer>, headers: Headers = {}): Promise<Response> =>
  ask('POST', `${service.url}/files`, { 'Upload-Complete': complete, ...headers }, body)

/** Without a version. */
function append(url: string, offset: number, complete: string, body?: Buffer<ArrayBuffer>): Promise<Response> {
  const fields = { 'Content-Type': PARTIAL, 'Upload-Offset': String(offset), 'Upload-Complete': complete }
  return ask('PATCH', url, fields, body)
}

function stateIn({ headers }: Response): readonly (string | null)[] {
  return ['Upload-Offset', 'Upload-Complete', 'Upload-Length'].map((name) => headers.get(name))
}

describe('A client without an interop version', () => {
  it('creates, queries, resumes, and completes an upload', async () => {
    const url = locationOf(await create('?0', content.subarray(0, 10)), service.url)
    const first = await ask('HEAD', url, {})
    expect(first.status).toBe(204)
    expect(stateIn(first)).toEqual(['10', '?0', null])
    expect(first.headers.get('Upload-Limit')).toMatch(/^max-size=1000000, max-age=\d+$/)
    expect(first.headers.get('Cache-Control')).toBe('no-store')
    expect((await append(url, 10, '?0', content.subarray(10, 20))).status).toBe(204)
    expectComplete(await append(url, 20, '?1', content.subarray(20)))
    await expectFile(service, url, content)
  })

  it('receives the length of an unfinished upload, whichever client created it', async () => {
    const begun = await createUpload(service.url, content.subarray(0, 10), { 'Upload-Length': SIZE })
    expect(stateIn(await ask('HEAD', begun, {}))).toEqual(['10', '?0', SIZE])
    const byTus = await createByTus(service.url, content.length)
    await patch(byTus, 0, content.subarray(0, 10))
    expect(stateIn(await ask('HEAD', byTus, {}))).toEqual(['10', '?0', SIZE])
  })

  it('learns from HEAD that an upload with all its bytes is not complete', async () => {
    const url = await createUpload(service.url, content, { 'Upload-Length': SIZE })
    expect(stateIn(await ask('HEAD', url, {}))).toEqual([SIZE, '?0', SIZE])
    expectComplete(await append(url, content.length, '?1'))
  })

  it('learns from HEAD that a file is complete, and receives the headers of a download', async () => {
    const url = locationOf(await create('?1', content), service.url)
    const reported = await ask('HEAD', url, {})
    expect(reported.status).toBe(200)
    expect(stateIn(reported)).toEqual([SIZE, '?1', SIZE])
    expect(reported.headers.get('Upload-Limit')).toBe('max-size=1000000')
    expect(reported.headers.get('Content-Length')).toBe(SIZE)
    expect(reported.headers.get('ETag')).not.toBeNull()
    const etag = reported.headers.get('ETag') ?? ''
    expect((await ask('HEAD', url, { 'If-None-Match': etag })).status).toBe(304)
  })

  it('does not interrupt a request by HEAD, however often it sends one', async () => {
    const url = await createUpload(service.url)
    const wire = await connect(service.url)
    const fields = { 'Content-Type': PARTIAL, 'Upload-Offset': 0, 'Upload-Complete': '?1', 'Content-Length': 10_000 }
    await wire.send(requestHead('PATCH', new URL(url).pathname, fields), content.subarray(0, 5000))
    await received(url, 5000)
    for (let i = 0; i < 10; i++) expect((await ask('HEAD', url, {})).headers.get('Upload-Offset')).toBe('5000')
    await wire.send(content.subarray(5000))
    expect((await wire.answer()).status).toBe(201)
    await wire.cut()
    await expectFile(service, url, content)
  })

  it.each(['POST', 'PATCH'])('receives no 104 for %s', async (method) => {
    const url = await createUpload(service.url)
    const wire = await connect(service.url)
    const fields = { 'Upload-Complete': '?1', 'Upload-Offset': 0, 'Content-Type': PARTIAL, 'Content-Length': 10 }
    await wire.send(requestHead(method, method === 'POST' ? '/files' : new URL(url).pathname, fields))
    await wire.send(content.subarray(0, 10))
    expect((await wire.next()).status).toBe(201)
    await wire.cut()
  })

  it('cancels an upload by DELETE, but a finished file is refused with problem details', async () => {
    const url = await createUpload(service.url, content)
    expect((await ask('DELETE', url, {})).status).toBe(204)
    for (const method of ['HEAD', 'GET', 'DELETE']) {
      const gone = await ask(method, url, {})
      expect([gone.status, gone.headers.get('Upload-Error')]).toEqual([410, 'gone'])
    }
    const finished = locationOf(await create('?1', content), service.url)
    const refused = await ask('DELETE', finished, {})
    expect(refused.status).toBe(400)
    expect(refused.headers.get('Content-Type')).toMatch(/^application\/problem\+json/)
    await expectFile(service, finished, content)
  })

  it('may send Incremental, which addresses proxies (RFC 10036)', async () => {
    const incremental = { Incremental: '?1' }
    const url = locationOf(await create('?0', content.subarray(0, 10), incremental), service.url)
    const fields = { 'Content-Type': PARTIAL, 'Upload-Offset': '10', 'Upload-Complete': '?1', ...incremental }
    expectComplete(await ask('PATCH', url, fields, content.subarray(10)))
    await expectFile(service, url, content)
  })
})
