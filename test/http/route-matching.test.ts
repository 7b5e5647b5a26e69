import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, head } from '../support/tus.ts'

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

async function statusOf(method: string, path: string): Promise<number> {
  return (await fetch(`${service.url}${path}`, { method })).status
}

describe('A route', () => {
  it('ignores a slash at the end of the path', async () => {
    expect(await statusOf('GET', '/healthz/')).toBe(200)
    expect(await statusOf('OPTIONS', '/files/')).toBe(204)
    expect(await statusOf('GET', '/check/')).toBe(405)
  })

  it.each(['/Healthz', '/FILES', '/Check', '/upload/Complete'])('distinguishes %s by case', async (path) => {
    expect(await statusOf('GET', path)).toBe(404)
  })

  it.each(['/files/%zz', '/files/%ff', '/files/%zz/digest'])('refuses the malformed encoding of %s', async (path) => {
    for (const method of ['OPTIONS', 'HEAD', 'GET', 'PATCH', 'DELETE']) expect(await statusOf(method, path)).toBe(404)
  })

  it('decodes an id once', async () => {
    const url = await createUpload(service.url, 10)
    const id = new URL(url).pathname.slice('/files/'.length)
    const encoded = `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`
    expect((await head(url.replace(id, encoded))).status).toBe(200)
    expect((await head(url.replace(id, encoded.replace('%', '%25')))).status).toBe(404)
  })

  it('answers HEAD if it has only GET', async () => {
    for (const path of ['/', '/healthz', '/upload/accept']) expect(await statusOf('HEAD', path)).toBe(200)
  })

  it.each(['PROPFIND', 'M-SEARCH', 'PURGE'])('refuses %s with 405 and lists its methods', async (method) => {
    const response = await fetch(`${service.url}/files/0123`, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('Allow')).toBe('HEAD, OPTIONS, GET, PATCH, DELETE')
  })

  it.each(['/constructor', '/__proto__', '/toString'])('does not match %s', async (path) => {
    expect(await statusOf('GET', path)).toBe(404)
  })
})
