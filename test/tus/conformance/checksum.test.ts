import http from 'node:http'
import { expect, it } from '@jest/globals'
import { checksumOf, create, endpoint, extension, HELLO, offsetOf, PATCH_TYPE, patch, TUS } from './server.ts'

const LENGTH = { 'Upload-Length': String(HELLO.length) }
const WRONG = checksumOf(Buffer.from('something else'))

extension('checksum', () => {
  it('"The Tus-Checksum-Algorithm header MUST be included in the response to an OPTIONS request"; "MUST support at least … sha1"', async () => {
    const response = await fetch(endpoint, { method: 'OPTIONS' })
    expect(response.headers.get('Tus-Checksum-Algorithm')?.split(',')).toContain('sha1')
  })

  it('"the Server MUST verify the uploaded chunk against the provided checksum": it matches', async () => {
    const url = await create(LENGTH)
    expect((await patch(url, 0, HELLO, { 'Upload-Checksum': checksumOf(HELLO) })).status).toBe(204)
    expect(await offsetOf(url)).toBe(String(HELLO.length))
  })

  it('"460 Checksum Mismatch if the checksums mismatch. … the uploaded chunk MUST be discarded, and the upload and its offset MUST NOT be updated"', async () => {
    const url = await create(LENGTH)
    await patch(url, 0, HELLO.subarray(0, 5))
    expect((await patch(url, 5, HELLO.subarray(5), { 'Upload-Checksum': WRONG })).status).toBe(460)
    expect(await offsetOf(url)).toBe('5')
    expect((await patch(url, 5, HELLO.subarray(5))).status).toBe(204)
  })

  it('"400 Bad Request if the checksum algorithm is not supported by the server"', async () => {
    const url = await create(LENGTH)
    expect((await patch(url, 0, HELLO, { 'Upload-Checksum': 'unknown AAAA' })).status).toBe(400)
    expect(await offsetOf(url)).toBe('0')
  })
})

extension('checksum-trailer', () => {
  it('"If the hash cannot be calculated at the beginning of the upload, it MAY be included as a trailer"', async () => {
    const url = await create(LENGTH)
    expect(await patchWithTrailer(url, checksumOf(HELLO))).toBe(204)
    expect(await offsetOf(url)).toBe(String(HELLO.length))
  })

  it('a trailer that does not match is 460, too', async () => {
    const url = await create(LENGTH)
    expect(await patchWithTrailer(url, WRONG)).toBe(460)
    expect(await offsetOf(url)).toBe('0')
  })
})

function patchWithTrailer(url: string, checksum: string): Promise<number | undefined> {
  const headers = { ...TUS, 'Content-Type': PATCH_TYPE, 'Upload-Offset': '0', Trailer: 'Upload-Checksum' }
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'PATCH', headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.write(HELLO)
    request.addTrailers({ 'Upload-Checksum': checksum })
    request.end()
  })
}
