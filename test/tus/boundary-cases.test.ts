/** Checks of other conformance suites, beyond the sentences of the specification. */

import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { create, createUpload, head, PATCH_HEADERS, patch, patchWith, TUS } from '../support/tus.ts'

const content = bytesOf(12)
let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

it('An empty PATCH at the end of a complete upload changes nothing', async () => {
  const url = await createUpload(service.url, content.length)
  expect((await patch(url, 0, content)).status).toBe(204)
  expect((await patch(url, content.length, Buffer.alloc(0))).status).toBe(204)
  await expectFile(service, url, content)
})

it('A 409 states the right offset', async () => {
  const url = await createUpload(service.url, content.length)
  expect((await patch(url, 0, content.subarray(0, 5))).status).toBe(204)
  const refused = await patch(url, 0, content)
  expect([refused.status, refused.headers.get('Upload-Offset')]).toEqual([409, '5'])
})

it('A PATCH cannot change a known length', async () => {
  const url = await createUpload(service.url, content.length)
  const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0', 'Upload-Length': '200' }
  expect((await patchWith(url, headers, content)).status).toBe(400)
  expect((await head(url)).headers.get('Upload-Length')).toBe(String(content.length))
})

it('A PATCH requires a media type and an offset', async () => {
  const url = await createUpload(service.url, content.length)
  expect((await patchWith(url, { ...TUS, 'Upload-Offset': '0' }, content)).status).toBe(415)
  expect((await patchWith(url, PATCH_HEADERS, content)).status).toBe(400)
})

it('A DELETE of an unknown upload receives 404', async () => {
  const url = `${service.url}/files/non-existent-upload-id`
  expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(404)
})

it('A final upload of an unknown part is refused', async () => {
  const parts = `final;${service.url}/files/non-existent-part`
  expect([400, 404, 422]).toContain((await create(service.url, { 'Upload-Concat': parts })).status)
})

it('An upload of a pebibyte can be created', async () => {
  expect((await create(service.url, { 'Upload-Length': String(2 ** 50) })).status).toBe(201)
})

it('OPTIONS needs no version, and lists versions and extensions without spaces', async () => {
  const { status, headers } = await fetch(`${service.url}/files`, { method: 'OPTIONS' })
  expect(status).toBe(204)
  expect(headers.get('Tus-Version')).toMatch(/^\d+\.\d+\.\d+(,\d+\.\d+\.\d+)*$/)
  expect(headers.get('Tus-Extension')).toMatch(/^[a-z-]+(,[a-z-]+)*$/)
})
