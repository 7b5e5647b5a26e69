import { expect, it } from '@jest/globals'
import { create, endpoint, extension, HELLO, head, locationOf, offsetOf, PATCH_TYPE, patch, post } from './server.ts'

const LENGTH = { 'Upload-Length': String(HELLO.length) }

extension('creation', () => {
  it('"The Server MUST acknowledge a successful upload creation with the 201 Created status. The Server MUST set the Location header"', async () => {
    const response = await post(LENGTH)
    expect(response.status).toBe(201)
    expect(await offsetOf(locationOf(response))).toBe('0')
  })

  it('"The request MUST include one of the following headers: Upload-Length, Upload-Defer-Length"', async () => {
    const response = await post({})
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
  })

  it.each(['-1', 'ten', '1.5', ''])('"[Upload-Length] MUST be a non-negative integer": %s', async (length) => {
    const response = await post({ 'Upload-Length': length })
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
  })

  it('"An empty file … Upload-Length is 0": it is complete with its creation', async () => {
    const response = await head(await create({ 'Upload-Length': '0' }))
    expect(response.headers.get('Upload-Length')).toBe('0')
    expect(response.headers.get('Upload-Offset')).toBe('0')
  })

  it('"responses to HEAD requests MUST include the Upload-Metadata header and its value as specified by the Client during the creation"', async () => {
    const metadata = 'filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential'
    const reported = (await head(await create({ ...LENGTH, 'Upload-Metadata': metadata }))).headers.get(
      'Upload-Metadata',
    )
    expect(
      reported
        ?.split(',')
        .map((pair) => pair.trim())
        .sort(),
    ).toEqual(metadata.split(',').sort())
  })

  it('"metadata values can contain arbitrary binary values": they are returned unchanged', async () => {
    const metadata = `binary ${Buffer.from([0xff, 0xfe, 0x00, 0x80]).toString('base64')}`
    const url = await create({ ...LENGTH, 'Upload-Metadata': metadata })
    expect((await head(url)).headers.get('Upload-Metadata')).toBe(metadata)
  })

  it('"If the length of the upload exceeds the maximum, which MAY be specified using the Tus-Max-Size header, the Server MUST respond with the 413"', async () => {
    const most = (await fetch(endpoint, { method: 'OPTIONS' })).headers.get('Tus-Max-Size')
    if (most === null) return
    expect((await post({ 'Upload-Length': String(BigInt(most) + 1n) })).status).toBe(413)
  })
})

extension('creation-with-upload', () => {
  it('"MUST include the Upload-Offset header in the response and MUST set its value to the offset of the upload after applying the accepted bytes"', async () => {
    const part = await post({ ...LENGTH, 'Content-Type': PATCH_TYPE }, HELLO.subarray(0, 5))
    expect(part.status).toBe(201)
    expect(part.headers.get('Upload-Offset')).toBe('5')
    expect(await offsetOf(locationOf(part))).toBe('5')
    const whole = await post({ ...LENGTH, 'Content-Type': PATCH_TYPE }, HELLO)
    expect(whole.headers.get('Upload-Offset')).toBe(String(HELLO.length))
  })
})

extension('creation-defer-length', () => {
  it('"Its value MUST be 1"', async () => {
    expect((await post({ 'Upload-Defer-Length': '2' })).status).toBe(400)
  })

  it('"As long as the length of the upload is not known, the Server MUST set Upload-Defer-Length: 1 in all responses to HEAD requests"', async () => {
    const url = await create({ 'Upload-Defer-Length': '1' })
    await patch(url, 0, HELLO.subarray(0, 5))
    const response = await head(url)
    expect(response.headers.get('Upload-Defer-Length')).toBe('1')
    expect(response.headers.has('Upload-Length')).toBe(false)
  })

  it('"the Client MUST set the Upload-Length header in the next PATCH request, once the length is known"', async () => {
    const url = await create({ 'Upload-Defer-Length': '1' })
    expect((await patch(url, 0, HELLO, LENGTH)).status).toBe(204)
    const response = await head(url)
    expect(response.headers.get('Upload-Length')).toBe(String(HELLO.length))
    expect(response.headers.has('Upload-Defer-Length')).toBe(false)
  })

  it('"Once set the length MUST NOT be changed"', async () => {
    const url = await create({ 'Upload-Defer-Length': '1' })
    await patch(url, 0, HELLO.subarray(0, 5), LENGTH)
    expect((await patch(url, 5, HELLO.subarray(5), { 'Upload-Length': '100' })).status).toBeGreaterThanOrEqual(400)
    expect((await head(url)).headers.get('Upload-Length')).toBe(String(HELLO.length))
  })
})
