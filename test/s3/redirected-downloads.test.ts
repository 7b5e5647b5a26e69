import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { engineSettings } from '../support/engine-settings.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, idOf, patch } from '../support/tus.ts'

const HELLO = Buffer.from('<script>hello()</script>')

let engine: S3Engine
let service: TestService
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine.stop())
afterEach(() => service.close())

/** @returns the URL of a finished file. */
async function upload(type: string, settings: Readonly<Record<string, string>> = {}): Promise<string> {
  service = await startService({ ...engineSettings(engine.location), S3_DOWNLOADS: 'redirect', ...settings })
  const url = await createUpload(service.url, HELLO.length, { filename: 'ä "1" (b).txt', filetype: type })
  expect((await patch(url, 0, HELLO)).status).toBe(204)
  return url
}

function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(url, { headers, redirect: 'manual' })
}

describe('With S3_DOWNLOADS=redirect, GET of a file', () => {
  it('is redirected to a URL of the bucket that is valid for five minutes, and is not stored', async () => {
    const response = await get(await upload('text/plain'))
    expect(response.status).toBe(307)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    const location = new URL(response.headers.get('Location') ?? '')
    expect(location.origin).toBe(engine.location.endpoint)
    expect(location.searchParams.get('X-Amz-Expires')).toBe('300')
    const file = await fetch(location)
    expect(Buffer.from(await file.arrayBuffer())).toEqual(HELLO)
    expect(file.headers.get('Content-Type')).toBe('text/plain')
  })

  it('returns ranges', async () => {
    const response = await fetch(await upload('text/plain'), { headers: { Range: 'bytes=8-12' } })
    expect([response.status, await response.text()]).toEqual([206, 'hello'])
    expect(response.headers.get('Content-Range')).toBe(`bytes 8-12/${HELLO.length}`)
  })

  it.each(['text/html', 'image/svg+xml', 'application/xhtml+xml'])('keeps %s an attachment', async (type) => {
    const response = await fetch(`${await upload(type)}?inline`)
    expect(response.redirected).toBe(true)
    expect(response.headers.get('Content-Type')).toBe('application/octet-stream')
    expect(response.headers.get('Content-Disposition')).toMatch(/^attachment; filename=/)
  })

  it('shows an image if that is wanted', async () => {
    const response = await fetch(`${await upload('image/png')}?inline`)
    expect(response.headers.get('Content-Type')).toBe('image/png')
    expect(response.headers.get('Content-Disposition')).toMatch(/^inline; filename=/)
  })

  it('by a signed link comes from the service: the URL of the bucket has the id', async () => {
    const url = await upload('text/plain', { DOWNLOADS: 'signed' })
    expect((await get(url)).status).toBe(403)
    const link = await fetch(`${url}/link`, { method: 'POST' })
    const { url: signed }: { url: string } = JSON.parse(await link.text())
    expect(signed).not.toContain(idOf(url))
    const response = await get(signed)
    expect([response.status, await response.text()]).toEqual([200, HELLO.toString()])
  })

  it('comes from the service for a client that names the entity tag of HEAD, or wants a digest', async () => {
    const url = await upload('text/plain')
    const head = await fetch(url, { method: 'HEAD', redirect: 'manual' })
    expect(head.status).toBe(200)
    const tag = head.headers.get('ETag') ?? ''
    expect((await get(url, { 'If-None-Match': tag })).status).toBe(304)
    expect((await get(url, { 'If-Match': tag })).status).toBe(200)
    expect((await get(url, { Range: 'bytes=0-1', 'If-Range': tag })).status).toBe(206)
    const digested = await get(url, { 'Want-Repr-Digest': 'sha-256=1' })
    expect([digested.status, digested.headers.has('Repr-Digest')]).toEqual([200, true])
  })

  it('is 404 while the upload is not finished', async () => {
    await upload('text/plain')
    expect((await get(await createUpload(service.url, 5))).status).toBe(404)
  })
})
