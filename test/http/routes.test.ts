import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { expectRefusal } from '../support/chunks.ts'
import { BUILT_PAGES, startService, type TestService } from '../support/service.ts'
import { expectSentence, expectToResume } from '../support/stored-uploads.ts'
import { createUpload, patch } from '../support/tus.ts'
import { connect, requestHead } from '../support/wire.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({}, BUILT_PAGES)
})
afterAll(() => service.close())

describe('An unknown path', () => {
  it.each(['/nowhere', '/files/a/b', '/upload', '/static/nothing.js', '/assets/../../package.json', '/data'])(
    '%s receives 404 with a sentence',
    async (path) => {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const response = await fetch(`${service.url}${path}`, { method })
        expect(response.status).toBe(404)
        expectSentence(await response.text(), service)
      }
    },
  )

  it('below /upload receives 404 in the format of WebUploader', async () => {
    await expectRefusal(await fetch(`${service.url}/upload/nowhere`, { method: 'POST' }), 404, 'not_found')
  })

  it.each([
    '/static/..%2f..%2fpackage.json',
    '/static/../package.json',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/static/%00',
    '/assets/..%5c..%5cpackage.json',
  ])('outside of the directory of the pages, %s, receives no file', async (path) => {
    const wire = await connect(service.url)
    await wire.send(requestHead('GET', path, { Connection: 'close' }))
    const answer = await wire.answer()
    await wire.cut()
    expect([400, 404]).toContain(answer.status)
    expect(answer.body).not.toContain('devDependencies')
    expect(answer.body).not.toContain('node_modules')
  })
})

describe('The files of /legacy', () => {
  it('are served, and no other file of their packages is', async () => {
    const page = await (await fetch(`${service.url}/legacy`)).text()
    const loaded = new Set([...page.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file ?? ''))
    for (const file of loaded) expect([file, (await fetch(`${service.url}/${file}`)).status]).toEqual([file, 200])
    const built = await readdir(path.join(BUILT_PAGES, 'static'), { recursive: true, withFileTypes: true })
    const files = built.filter((entry) => entry.isFile())
    const served = files.map((entry) => path.relative(BUILT_PAGES, path.join(entry.parentPath, entry.name)))
    expect(served.sort()).toEqual([...loaded].sort())
  })
})

describe('An unsupported method', () => {
  it.each([
    ['/files', ['GET', 'PATCH', 'DELETE'], 'OPTIONS, POST, PUT'],
    ['/files/0123', ['POST', 'PUT'], 'OPTIONS, HEAD, GET, PATCH, DELETE'],
    ['/upload/accept', ['PUT', 'PATCH', 'DELETE'], 'HEAD, GET, POST'],
    ['/upload/complete', ['PUT', 'PATCH', 'DELETE'], 'HEAD, GET, POST'],
    ['/check', ['GET', 'PUT', 'DELETE'], 'POST'],
  ] as const)('for %s receives 405 with the supported ones', async (path, methods, allowed) => {
    const content = bytesOf(10)
    const url = await createUpload(service.url, content.length)
    await patch(url, 0, content.subarray(0, 3))
    for (const method of methods) {
      const response = await fetch(`${service.url}${path}`, { method })
      expect(new Set(response.headers.get('Allow')?.split(', '))).toEqual(new Set(allowed.split(', ')))
      if (path.startsWith('/files')) {
        expect(response.status).toBe(405)
        expectSentence(await response.text(), service)
      } else {
        await expectRefusal(response, 405, 'unsupported_method')
      }
    }
    await expectToResume(service, url, content, 3)
  })

  it('receives 405 even with a long body', async () => {
    const response = await fetch(`${service.url}/files/0123`, { method: 'PUT', body: bytesOf(20_000_000) })
    expect(response.status).toBe(405)
  })
})

describe('The service', () => {
  it.each(['/', '/legacy', '/upload/accept'])('returns a page at %s', async (path) => {
    const response = await fetch(`${service.url}${path}`)
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toMatch(/^text\/html/)
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(await response.text()).toMatch(/<!doctype html>/i)
  })

  it('reports its health', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await fetch(`${service.url}${path}`)).status).toBe(200)
  })
})

describe('Malformed requests', () => {
  it.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    ['two different lengths', 'POST /files HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length and a transfer coding',
      'POST /files HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`],
  ])('such as %s receive 4xx, and the service continues', async (_, text) => {
    const wire = await connect(service.url)
    await wire.send(text)
    const answer = await wire.answer()
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(answer.body).not.toMatch(/node_modules|\bat .*:\d+/)
    await wire.cut()
    await expectToResume(service, await createUpload(service.url, 5), bytesOf(5), 0)
  })
})
