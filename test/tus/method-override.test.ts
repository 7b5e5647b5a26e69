import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence } from '../support/stored-uploads.ts'
import { createUpload, head, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

const content = bytesOf(1000)
let service: TestService
let url: string

beforeEach(async () => {
  service = await startService()
  url = await createUpload(service.url, content.length)
})
afterEach(() => service.close())

function post(method: string, headers: Readonly<Record<string, string>> = {}, body?: Uint8Array<ArrayBuffer>) {
  return fetch(url, {
    method: 'POST',
    headers: { ...PATCH_HEADERS, 'X-HTTP-Method-Override': method, ...headers },
    ...(body === undefined ? {} : { body }),
  })
}

describe('X-HTTP-Method-Override', () => {
  it('turns a POST into PATCH, HEAD, and DELETE', async () => {
    const patched = await post('PATCH', { 'Upload-Offset': '0' }, content.subarray(0, 400))
    expect(patched.status).toBe(204)
    const reported = await post('HEAD')
    expect(reported.status).toBe(200)
    expect(reported.headers.get('Upload-Offset')).toBe('400')
    expect(await reported.text()).toBe('')
    expect((await post('patch', { 'Upload-Offset': '400' }, content.subarray(400))).status).toBe(204)
    await expectFile(service, url, content)
    expect((await post('DELETE')).status).toBe(204)
    expect((await head(url)).status).toBe(404)
  })

  it.each(['OPTIONS', 'options'])('turns a POST into %s, with and without an id', async (method) => {
    for (const address of [`${service.url}/files`, url]) {
      const response = await fetch(address, { method: 'POST', headers: { 'X-HTTP-Method-Override': method } })
      expect(response.status).toBe(204)
      expect(response.headers.get('Tus-Version')).toBe('1.0.0')
      expect(response.headers.get('Tus-Extension')).toContain('creation')
      expect(await response.text()).toBe('')
    }
  })

  it('never makes the client of a HEAD wait for a body, whatever the response, and the connection stays open', async () => {
    expect((await post('PATCH', { 'Upload-Offset': '0' }, content)).status).toBe(204)
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    for (const [path, headers, status] of [
      [pathname, TUS, 200],
      [pathname, {}, 200],
      ['/files/unknown', TUS, 404],
    ] as const) {
      await wire.send(requestHead('POST', path, { ...headers, 'X-HTTP-Method-Override': 'HEAD', 'Content-Length': 0 }))
      expect((await wire.answer()).status).toBe(status)
    }
    await wire.cut()
  })

  it('has no effect if it names the method of the request', async () => {
    const asked = { ...TUS, 'X-HTTP-Method-Override': 'head' }
    expect((await fetch(url, { method: 'HEAD', headers: asked })).status).toBe(200)
    expect((await fetch(url, { method: 'OPTIONS', headers: { 'X-HTTP-Method-Override': 'OPTIONS' } })).status).toBe(204)
    const response = await fetch(`${service.url}/files`, {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5', 'X-HTTP-Method-Override': 'POST' },
    })
    expect(response.status).toBe(201)
  })

  it.each(['GET', 'PUT', 'CONNECT', 'PATCH, DELETE', 'nonsense'])('cannot turn a POST into %s', async (method) => {
    const response = await post(method)
    expect(response.status).toBe(405)
    expectSentence(await response.text(), service)
  })

  it('never affects a GET, which any page can cause', async () => {
    for (const method of ['DELETE', 'PATCH', 'POST', 'HEAD', 'OPTIONS']) {
      const response = await fetch(url, { headers: { ...PATCH_HEADERS, 'X-HTTP-Method-Override': method } })
      expect(response.status).toBe(405)
    }
    expect((await head(url)).status).toBe(200)
  })
})
