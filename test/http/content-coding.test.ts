import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { createUpload as createByDraft, DRAFT, PARTIAL } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { countUploads, expectToResume } from '../support/stored-uploads.ts'
import { createUpload, PATCH_HEADERS, patchWith } from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

const content = bytesOf(1000)
const coded = gzipSync(content)
const CODINGS = ['gzip', 'GZip', 'x-gzip', 'br', 'deflate', 'identity, gzip', 'gzip, gzip', 'aws-chunked', ',gzip,']
const PLAIN = ['identity', 'IDENTITY', 'identity, identity', '', ' , ']
const LEGACY = '/upload/accept?task_id=t&name=a.bin&size='

/** Sends a POST and returns its response. */
function post(path: string, headers: Readonly<Record<string, string>>, body: Buffer<ArrayBuffer>): Promise<Response> {
  return fetch(`${service.url}${path}`, { method: 'POST', headers, body })
}

async function expectRefused(response: Response): Promise<void> {
  expect(response.status).toBe(415)
  expect(response.headers.get('Accept-Encoding')).toBe('identity')
  expect(response.headers.get('Upload-Error')).toBe('unsupported_coding')
  expect(await response.text()).toContain('Content-Encoding')
}

describe('A Content-Encoding', () => {
  it.each(CODINGS)('is refused in a PATCH, whose bytes do not count: %s', async (coding) => {
    const url = await createUpload(service.url, content.length)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Content-Encoding': coding }
    await expectRefused(await patchWith(url, headers, coded))
    await expectToResume(service, url, content, 0)
  })

  it.each(CODINGS)('is refused in a creation of any protocol, and creates no upload: %s', async (coding) => {
    const before = await countUploads(service)
    const encoding = { 'Content-Encoding': coding }
    await expectRefused(await post('/files', { ...PATCH_HEADERS, 'Upload-Length': '1000', ...encoding }, coded))
    await expectRefused(await post('/files', { ...DRAFT, 'Upload-Complete': '?1', ...encoding }, coded))
    await expectRefused(await post(`${LEGACY}${coded.length}`, encoding, coded))
    const form = { 'Content-Type': 'multipart/form-data; boundary=b', ...encoding }
    await expectRefused(await post('/upload/accept', form, coded))
    expect(await countUploads(service)).toBe(before)
  })

  it('is refused in an append of the draft', async () => {
    const url = await createByDraft(service.url)
    const fields = { ...DRAFT, 'Content-Type': PARTIAL, 'Upload-Offset': '0', 'Upload-Complete': '?1' }
    await expectRefused(await patchWith(url, { ...fields, 'Content-Encoding': 'gzip' }, coded))
  })

  it.each(PLAIN)('is accepted if it means identity: %j', async (coding) => {
    const url = await createUpload(service.url, content.length)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Content-Encoding': coding }
    expect((await patchWith(url, headers, content)).status).toBe(204)
    await expectToResume(service, url, content, content.length)
    const type = { 'Content-Type': 'application/octet-stream', 'Content-Encoding': coding }
    expect((await post(`${LEGACY}${content.length}&id=${encodeURIComponent(coding)}`, type, content)).status).toBe(200)
  })

  it('is refused before the body is sent, if the client expects 100-continue', async () => {
    const url = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    const fields = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': coded.length, Expect: '100-continue' }
    await wire.send(requestHead('PATCH', new URL(url).pathname, { ...fields, 'Content-Encoding': 'gzip' }))
    expect((await wire.next()).status).toBe(415)
    await wire.cut()
  })

  it('is ignored in a creation without a body', async () => {
    const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5', 'Content-Encoding': 'gzip' }
    expect((await fetch(`${service.url}/files`, { method: 'POST', headers })).status).toBe(201)
  })
})

it('A Transfer-Encoding other than chunked is refused', async () => {
  const url = await createUpload(service.url, content.length)
  const wire = await connect(service.url)
  const fields = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'gzip, chunked' }
  await wire.send(requestHead('PATCH', new URL(url).pathname, fields), '0\r\n\r\n')
  expect((await wire.answer()).status).toBe(415)
  await wire.cut()
})
