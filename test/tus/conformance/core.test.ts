import { describe, expect, it } from '@jest/globals'
import { create, endpoint, HELLO, head, offsetOf, patch, request, TUS } from './server.ts'

const LENGTH = { 'Upload-Length': String(HELLO.length) }

describe('core protocol', () => {
  describe('OPTIONS', () => {
    it('"A successful response indicated by the 204 No Content or 200 OK status MUST contain the Tus-Version header"', async () => {
      const response = await fetch(endpoint, { method: 'OPTIONS' })
      expect([200, 204]).toContain(response.status)
      expect(response.headers.get('Tus-Version')?.split(',')).toContain('1.0.0')
    })

    it('"the Server MUST ignore the [Tus-Resumable] header"', async () => {
      const response = await fetch(endpoint, { method: 'OPTIONS', headers: { 'Tus-Resumable': '0.0.1' } })
      expect([200, 204]).toContain(response.status)
      expect(response.headers.get('Tus-Version')?.split(',')).toContain('1.0.0')
    })
  })

  describe('Tus-Resumable', () => {
    it('"MUST be included in every request and response except for OPTIONS requests"', async () => {
      const url = await create(LENGTH)
      expect((await head(url)).headers.get('Tus-Resumable')).toBe('1.0.0')
      expect((await patch(url, 0, HELLO)).headers.get('Tus-Resumable')).toBe('1.0.0')
      expect((await patch(url, 0, HELLO)).headers.get('Tus-Resumable')).toBe('1.0.0')
    })

    it('"If the version specified by the Client is not supported by the Server, it MUST respond with the 412 … and MUST include the Tus-Version header"', async () => {
      const url = await create(LENGTH)
      const response = await patch(url, 0, HELLO, { 'Tus-Resumable': '0.2.2' })
      expect(response.status).toBe(412)
      expect(response.headers.get('Tus-Version')?.split(',')).toContain('1.0.0')
      expect(await offsetOf(url)).toBe('0')
    })
  })

  describe('HEAD', () => {
    it('"The Server MUST always include the Upload-Offset header … even if the offset is 0"', async () => {
      expect((await head(await create(LENGTH))).headers.get('Upload-Offset')).toBe('0')
    })

    it('"… or the upload is already considered completed"', async () => {
      const url = await create(LENGTH)
      await patch(url, 0, HELLO)
      const response = await head(url)
      expect([200, 204]).toContain(response.status)
      expect(response.headers.get('Upload-Offset')).toBe(String(HELLO.length))
    })

    it('"If the size of the upload is known, the Server MUST include the Upload-Length header"', async () => {
      expect((await head(await create(LENGTH))).headers.get('Upload-Length')).toBe(String(HELLO.length))
    })

    it('"If the resource is not found, the Server SHOULD return either the 404 Not Found, 410 Gone or 403 Forbidden status without the Upload-Offset header"', async () => {
      const url = await create(LENGTH)
      const response = await head(url.replace(/.{8}$/, '00000000'))
      expect([404, 410, 403]).toContain(response.status)
      expect(response.headers.has('Upload-Offset')).toBe(false)
    })

    it('"MUST prevent the client and/or proxies from caching the response by adding the Cache-Control: no-store header"', async () => {
      expect((await head(await create(LENGTH))).headers.get('Cache-Control')).toContain('no-store')
    })
  })

  describe('PATCH', () => {
    it('"MUST acknowledge successful PATCH requests with the 204 No Content status … the Upload-Offset header containing the new offset"', async () => {
      const url = await create(LENGTH)
      const first = await patch(url, 0, HELLO.subarray(0, 4))
      expect(first.status).toBe(204)
      expect(first.headers.get('Upload-Offset')).toBe('4')
      const rest = await patch(url, 4, HELLO.subarray(4))
      expect(rest.status).toBe(204)
      expect(rest.headers.get('Upload-Offset')).toBe(String(HELLO.length))
    })

    it('"All PATCH requests MUST use Content-Type: application/offset+octet-stream, otherwise the server SHOULD return a 415"', async () => {
      const url = await create(LENGTH)
      expect((await patch(url, 0, HELLO, { 'Content-Type': 'text/plain' })).status).toBe(415)
      expect(await offsetOf(url)).toBe('0')
    })

    it('"If the offsets do not match, the Server MUST respond with the 409 Conflict status without modifying the upload resource"', async () => {
      const url = await create(LENGTH)
      await patch(url, 0, HELLO.subarray(0, 4))
      for (const offset of [0, 3, 5]) expect((await patch(url, offset, HELLO.subarray(4, 6))).status).toBe(409)
      expect(await offsetOf(url)).toBe('4')
    })

    it('"If the Server receives a PATCH request against a non-existent resource it SHOULD return a 404"', async () => {
      const url = await create(LENGTH)
      expect((await patch(url.replace(/.{8}$/, '00000000'), 0, HELLO)).status).toBe(404)
    })
  })

  describe('X-HTTP-Method-Override', () => {
    it('"MUST be a string which MUST be interpreted as the request\'s method by the Server, if the header is presented": PATCH', async () => {
      const url = await create(LENGTH)
      const headers = { 'X-HTTP-Method-Override': 'PATCH', 'Upload-Offset': '0' }
      const type = { 'Content-Type': 'application/offset+octet-stream' }
      const response = await request('POST', url, { ...TUS, ...headers, ...type }, HELLO)
      expect(response.status).toBe(204)
      expect(await offsetOf(url)).toBe(String(HELLO.length))
    })
  })
})
