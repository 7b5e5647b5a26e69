import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectToResume } from '../support/stored-uploads.ts'
import { createUpload, patch, TUS } from '../support/tus.ts'

const TYPES = 'application/partial-upload, application/offset+octet-stream'
let service: TestService
afterEach(() => service.close())

describe('OPTIONS', () => {
  it('names the version and the extensions, with and without an id, also to clients of another version', async () => {
    service = await startService()
    const content = bytesOf(10)
    const url = await createUpload(service.url, content.length)
    await patch(url, 0, content.subarray(0, 4))
    for (const [address, headers] of [
      [`${service.url}/files`, {}],
      [url, {}],
      [`${service.url}/files`, { 'Tus-Resumable': '0.2.2' }],
    ] as const) {
      const response = await fetch(address, { method: 'OPTIONS', headers })
      expect(response.status).toBe(204)
      expect(response.headers.get('Tus-Resumable')).toBe('1.0.0')
      expect(response.headers.get('Tus-Version')).toBe('1.0.0')
      expect(response.headers.get('Tus-Extension')?.split(',').sort()).toEqual([
        'checksum',
        'checksum-trailer',
        'concatenation',
        'concatenation-unfinished',
        'creation',
        'creation-defer-length',
        'creation-with-upload',
        'expiration',
        'termination',
      ])
      expect(response.headers.get('Tus-Checksum-Algorithm')).toBe('sha1,sha256,md5')
      expect(response.headers.has('Tus-Max-Size')).toBe(false)
      expect(await response.text()).toBe('')
    }
    await expectToResume(service, url, content, 4)
  })

  it('lists the media types of a PATCH and the methods, with and without an id, also for other origins', async () => {
    service = await startService({ ALLOWED_ORIGINS: '*' })
    const url = await createUpload(service.url, 10)
    for (const [address, methods] of [
      [`${service.url}/files`, 'OPTIONS, POST, PUT'],
      [url, 'HEAD, OPTIONS, GET, PATCH, DELETE'],
    ] as const) {
      const response = await fetch(address, { method: 'OPTIONS', headers: { Origin: 'https://a.example' } })
      expect(response.status).toBe(204)
      expect(response.headers.get('Allow')).toBe(methods)
      expect(response.headers.get('Accept-Patch')).toBe(TYPES)
      expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Accept-Patch')
    }
  })

  it('lists the same media types as the response to a PATCH of another type', async () => {
    service = await startService()
    const url = await createUpload(service.url, 10)
    for (const headers of [TUS, { 'Upload-Complete': '?0', 'Upload-Offset': '0' }]) {
      const response = await fetch(url, { method: 'PATCH', headers: { ...headers, 'Content-Type': 'text/plain' } })
      expect([response.status, response.headers.get('Accept-Patch')]).toEqual([415, TYPES])
    }
  })

  it('names the largest size when there is one', async () => {
    service = await startService({ MAX_SIZE: '1234' })
    const response = await fetch(`${service.url}/files`, { method: 'OPTIONS' })
    expect(response.status).toBe(204)
    expect(response.headers.get('Tus-Max-Size')).toBe('1234')
  })
})
