import { afterEach, describe, expect, it } from '@jest/globals'
import { bytes, Service, type StreamedFile } from '../support/one-file-service.ts'

/** It begins with a digest of the id. */
const ETAG = '"E6SHhJNbgQ-bZs-4uoiNFg-1000-mjwaidke"'
const MODIFIED = 'Fri, 02 Jan 2026 03:04:05 GMT'
const content = bytes(1000)

let service: Service

async function serve(about: Partial<StreamedFile> = {}, stored = content): Promise<Service> {
  service = await Service.start(stored, about)
  return service
}

afterEach(() => service.stop())

describe('GET', () => {
  it('returns the whole file with all its headers', async () => {
    await serve()
    const { status, headers, body } = await service.fetch()
    expect(status).toBe(200)
    expect(body.equals(content)).toBe(true)
    expect(headers).toMatchObject({
      'content-length': '1000',
      'content-type': 'application/x-thing',
      'content-disposition': 'attachment; filename=a.bin',
      'accept-ranges': 'bytes',
      etag: ETAG,
      'last-modified': MODIFIED,
      'cache-control': 'private, no-cache, no-transform',
      'content-security-policy': "sandbox; default-src 'none'",
    })
    expect(headers).not.toHaveProperty('content-range')
  })

  it('returns an empty file', async () => {
    await serve({}, Buffer.alloc(0))
    const { status, headers, body } = await service.fetch({ Range: 'bytes=0-' })
    expect(status).toBe(200)
    expect(headers['content-length']).toBe('0')
    expect(headers['content-type']).toBe('application/x-thing')
    expect(body.length).toBe(0)
    expect(service.streams).toHaveLength(0)
  })

  it('returns a Chinese name', async () => {
    await serve({ metadata: { filename: '测试 文件.txt' } })
    const { status, headers } = await service.fetch()
    expect(status).toBe(200)
    expect(headers['content-disposition']).toContain(`filename*=UTF-8''%E6%B5%8B%E8%AF%95%20%E6%96%87%E4%BB%B6.txt`)
  })

  it('shows an image inline on request', async () => {
    await serve({ metadata: { name: 'a.png', type: 'image/png' } })
    const { headers } = await service.fetch({}, { query: '?inline=1' })
    expect(headers['content-disposition']).toBe('inline; filename=a.png')
  })

  it('makes a valid entity tag of an id with other characters', async () => {
    await serve({ id: '一 "id"' })
    const { headers } = await service.fetch()
    expect(headers.etag).toBe('"DZFa4gewtFFMQ16Qi6Y8gy-1000-mjwaidke"')
  })

  it('does not return a modification date in the future', async () => {
    await serve({ modified: new Date(Date.now() + 3_600_000) })
    const { headers } = await service.fetch()
    expect(Date.parse(headers['last-modified'] ?? '')).toBeLessThanOrEqual(Date.now())
  })
})

describe('A range', () => {
  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=999-', 999, 1000],
    ['bytes=-5', 995, 1000],
    ['bytes=5-', 5, 1000],
    ['bytes=100-199', 100, 200],
    ['bytes=-5000', 0, 1000],
  ])('returns just its bytes: %s', async (range, start, end) => {
    await serve()
    const { status, headers, body } = await service.fetch({ Range: range })
    expect(status).toBe(206)
    expect(headers['content-range']).toBe(`bytes ${start}-${end - 1}/1000`)
    expect(headers['content-length']).toBe(String(end - start))
    expect(headers.etag).toBe(ETAG)
    expect(body.equals(content.subarray(start, end))).toBe(true)
  })

  it.each(['bytes=0-0,5-6', 'bytes=5-2', 'rubbish'])('returns the whole file if it is ignored: %s', async (range) => {
    await serve()
    const { status, body } = await service.fetch({ Range: range })
    expect(status).toBe(200)
    expect(body.equals(content)).toBe(true)
  })

  it('receives 416 with the size, and no header of the file, if it is outside of the file', async () => {
    await serve()
    const { status, headers, body } = await service.fetch({ Range: 'bytes=1000-' })
    expect(status).toBe(416)
    expect(headers['content-range']).toBe('bytes */1000')
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(headers).not.toHaveProperty('etag')
    expect(headers).not.toHaveProperty('content-disposition')
    expect(body.toString()).toContain('1000 bytes')
    expect(service.streams).toHaveLength(0)
  })

  it.each([
    [ETAG, 206],
    ['"other"', 200],
    [`W/${ETAG}`, 200],
    [MODIFIED, 206],
    ['Fri, 02 Jan 2026 03:04:06 GMT', 200],
  ])('receives, with If-Range %s, %d', async (ifRange, expected) => {
    await serve()
    const { status } = await service.fetch({ Range: 'bytes=0-9', 'If-Range': ifRange })
    expect(status).toBe(expected)
  })
})

describe('A condition', () => {
  it.each([
    { 'If-None-Match': ETAG },
    { 'If-None-Match': `"other", W/${ETAG}` },
    { 'If-Modified-Since': MODIFIED },
    { 'If-None-Match': ETAG, Range: 'bytes=2000-' },
  ])('returns 304 if the client has the file already: %j', async (headers) => {
    await serve()
    const answer = await service.fetch(headers)
    expect(answer.status).toBe(304)
    expect(answer.body.length).toBe(0)
    expect(answer.headers).toMatchObject({
      etag: ETAG,
      'cache-control': 'private, no-cache, no-transform',
      'last-modified': MODIFIED,
    })
    expect(answer.headers).not.toHaveProperty('content-length')
    expect(answer.headers).not.toHaveProperty('content-type')
    expect(service.streams).toHaveLength(0)
  })

  it.each([{ 'If-Match': '"other"' }, { 'If-Unmodified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' }])(
    'returns 412 if it does not hold: %j',
    async (headers) => {
      await serve()
      const answer = await service.fetch(headers)
      expect(answer.status).toBe(412)
      expect(answer.headers).not.toHaveProperty('etag')
      expect(service.streams).toHaveLength(0)
    },
  )

  it('returns the file if it holds', async () => {
    await serve()
    const { status } = await service.fetch({ 'If-Match': ETAG, 'If-None-Match': '"other"' })
    expect(status).toBe(200)
  })
})

describe('HEAD', () => {
  it('returns the headers of GET, and reads nothing', async () => {
    await serve()
    const get = await service.fetch()
    const head = await service.fetch({}, { method: 'HEAD' })
    const { date: _a, ...ofGet } = get.headers
    const { date: _b, ...ofHead } = head.headers
    expect(head.status).toBe(200)
    expect(ofHead).toEqual(ofGet)
    expect(head.body.length).toBe(0)
    expect(service.streams).toHaveLength(1)
  })

  it('ignores ranges', async () => {
    await serve()
    const { status, headers } = await service.fetch({ Range: 'bytes=2000-' }, { method: 'HEAD' })
    expect(status).toBe(200)
    expect(headers['content-length']).toBe('1000')
    expect(headers).not.toHaveProperty('content-range')
  })

  it('returns length 0 for an empty file', async () => {
    await serve({}, Buffer.alloc(0))
    const { status, headers } = await service.fetch({}, { method: 'HEAD' })
    expect(status).toBe(200)
    expect(headers['content-length']).toBe('0')
  })

  it('evaluates conditions', async () => {
    await serve()
    expect((await service.fetch({ 'If-None-Match': '*' }, { method: 'HEAD' })).status).toBe(304)
    expect((await service.fetch({ 'If-Match': '"other"' }, { method: 'HEAD' })).status).toBe(412)
  })
})
