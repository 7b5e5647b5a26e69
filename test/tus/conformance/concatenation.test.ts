import { expect, it } from '@jest/globals'
import { until } from '../../support/wire.ts'
import { create, extension, head, locationOf, patch, post } from './server.ts'

const HELLO = Buffer.from('hello ')
const WORLD = Buffer.from('world')
const LENGTH = String(HELLO.length + WORLD.length)

async function part(content: Buffer<ArrayBuffer>, sent = content): Promise<string> {
  const url = await create({ 'Upload-Length': String(content.length), 'Upload-Concat': 'partial' })
  expect((await patch(url, 0, sent)).status).toBe(204)
  return url
}

const finalOf = (urls: readonly string[]): string => `final;${urls.join(' ')}`
const pathOf = (url: string): string => new URL(url).pathname

async function isComplete(url: string): Promise<boolean> {
  return (await head(url)).headers.get('Upload-Offset') === LENGTH
}

extension('concatenation', () => {
  it('"The length of the final upload MUST be the sum of the length of all partial uploads": relative URLs', async () => {
    const response = await post({ 'Upload-Concat': finalOf([await part(HELLO), await part(WORLD)].map(pathOf)) })
    expect(response.status).toBe(201)
    await until(() => isComplete(locationOf(response)))
    expect((await head(locationOf(response))).headers.get('Upload-Length')).toBe(LENGTH)
  })

  it('"The partial uploads URLs MAY be absolute or relative": absolute', async () => {
    const response = await post({ 'Upload-Concat': finalOf([await part(HELLO), await part(WORLD)]) })
    expect(response.status).toBe(201)
    await until(() => isComplete(locationOf(response)))
  })

  it('"The partial uploads MUST be concatenated as per the order specified in the list"', async () => {
    const world = await part(WORLD)
    const response = await post({ 'Upload-Concat': finalOf([await part(HELLO), world].map(pathOf)) })
    const url = locationOf(response)
    await until(() => isComplete(url))
    const download = await fetch(url)
    // Downloads are not part of tus: a server without them cannot be tested this way.
    if (download.status === 200) expect(await download.text()).toBe('hello world')
  })

  it('"The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL"', async () => {
    const url = locationOf(await post({ 'Upload-Concat': finalOf([await part(HELLO), await part(WORLD)].map(pathOf)) }))
    expect((await patch(url, 0, WORLD)).status).toBe(403)
  })

  it('"The response to a HEAD request for a partial upload MUST contain the Upload-Offset header"', async () => {
    expect((await head(await part(HELLO, HELLO.subarray(0, 2)))).headers.get('Upload-Offset')).toBe('2')
  })

  it('"Response to HEAD request against partial or final upload MUST include the Upload-Concat header and its value as received"', async () => {
    const hello = await part(HELLO)
    expect((await head(hello)).headers.get('Upload-Concat')).toBe('partial')
    const concat = finalOf([hello, await part(WORLD)].map(pathOf))
    const url = locationOf(await post({ 'Upload-Concat': concat }))
    expect((await head(url)).headers.get('Upload-Concat')).toBe(concat)
  })

  it('"In the case of a final upload, its value MUST be final followed by a semicolon and a space-separated list": others are refused', async () => {
    for (const concat of ['whole', 'final', 'final;']) {
      const { status } = await post({ 'Upload-Concat': concat })
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
    }
  })
})

extension('concatenation-unfinished', () => {
  it('"The Client MAY send the concatenation request while the partial uploads are still in progress"', async () => {
    const hello = await part(HELLO, HELLO.subarray(0, 2))
    const response = await post({ 'Upload-Concat': finalOf([hello, await part(WORLD)].map(pathOf)) })
    expect(response.status).toBe(201)
    const url = locationOf(response)
    expect((await head(url)).headers.get('Upload-Length')).toBe(LENGTH)
    expect((await patch(hello, 2, HELLO.subarray(2))).status).toBe(204)
    await until(() => isComplete(url))
  })

  it('"The response to a HEAD request for a final upload SHOULD NOT contain the Upload-Offset header unless the concatenation has been successfully finished"', async () => {
    const parts = [await part(HELLO, HELLO.subarray(0, 2)), await part(WORLD)]
    const url = locationOf(await post({ 'Upload-Concat': finalOf(parts.map(pathOf)) }))
    expect((await head(url)).headers.has('Upload-Offset')).toBe(false)
  })
})
