import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { ask, expectComplete, type Headers, PARTIAL, stateOf } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { locationOf } from '../support/tus.ts'
import { codedPiece, connect, requestHead } from '../support/wire.ts'

const content = bytesOf(1000)
let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

const fields = (version: string, headers: Headers): Headers => ({ 'Upload-Draft-Interop-Version': version, ...headers })

async function create(version: string, headers: Headers, body?: Buffer<ArrayBuffer>): Promise<Response> {
  return ask('POST', `${service.url}/files`, fields(version, { 'Upload-Complete': '?0', ...headers }), body)
}

function append(version: string, url: string, offset: number, headers: Headers, body?: Buffer<ArrayBuffer>) {
  return ask('PATCH', url, fields(version, { 'Upload-Offset': String(offset), ...headers }), body)
}

describe.each(['5', '6'])('Interop version %s', (version) => {
  const type: Headers = version === '6' ? { 'Content-Type': PARTIAL } : {}

  it('completes the upload with the last byte of its length', async () => {
    const url = locationOf(await create(version, { 'Upload-Length': '1000' }), service.url)
    expect((await append(version, url, 0, type, content.subarray(0, 600))).status).toBe(204)
    expectComplete(await append(version, url, 600, { 'Upload-Complete': '?0', ...type }, content.subarray(600)))
    await expectFile(service, url, content)
  })

  it('completes a creation with the last byte of its length', async () => {
    const whole = await create(version, { 'Upload-Length': '1000' }, content)
    expectComplete(whole)
    await expectFile(service, locationOf(whole, service.url), content)
    const empty = await create(version, { 'Upload-Length': '0' })
    expectComplete(empty)
    await expectFile(service, locationOf(empty, service.url), Buffer.alloc(0))
  })

  it('completes the upload when an empty append states its length', async () => {
    const url = locationOf(await create(version, {}), service.url)
    await append(version, url, 0, { 'Upload-Complete': '?0', ...type }, content)
    expect(await stateOf(url)).toEqual(['1000', '?0'])
    expectComplete(await append(version, url, 1000, { 'Upload-Length': '1000', ...type }))
    await expectFile(service, url, content)
  })

  it('completes an upload of unknown length by Upload-Complete: ?1', async () => {
    const url = locationOf(await create(version, {}), service.url)
    expectComplete(await append(version, url, 0, { 'Upload-Complete': '?1', ...type }, content))
    await expectFile(service, url, content)
  })

  it('is the one that 104 names', async () => {
    const wire = await connect(service.url)
    const headers = fields(version, { 'Upload-Complete': '?1', 'Content-Length': '1000' })
    await wire.send(requestHead('POST', '/files', headers))
    const interim = await wire.next()
    expect([interim.status, interim.headers.get('Upload-Draft-Interop-Version')]).toEqual([104, version])
    await wire.send(content)
    expectComplete(await wire.answer())
    await wire.cut()
  })

  it('refuses bytes beyond the length, and keeps the file', async () => {
    const url = locationOf(await create(version, { 'Upload-Length': '1000' }), service.url)
    const answer = await append(version, url, 0, { 'Upload-Complete': '?0', ...type }, bytesOf(1001))
    expect(answer.status).toBe(400)
    expectComplete(await append(version, url, 0, { 'Upload-Complete': '?1', ...type }, content))
    await expectFile(service, url, content)
  })
})

it.each(['5', '6', '8'])(
  'A chunked body that continues beyond the file is refused, and the file stays: %s',
  async (version) => {
    const made = await create('6', { 'Upload-Length': '1000' })
    const url = locationOf(made, service.url)
    const wire = await connect(service.url)
    const headers = {
      'Content-Type': PARTIAL,
      'Upload-Offset': '0',
      'Upload-Complete': '?0',
      'Transfer-Encoding': 'chunked',
    }
    await wire.send(
      requestHead('PATCH', new URL(url).pathname, fields(version, headers)),
      codedPiece(content),
      codedPiece(Buffer.from('more')),
      codedPiece(Buffer.alloc(0)),
    )
    expect((await wire.answer()).status).toBe(400)
    await wire.cut()
    expect(await stateOf(url)).toEqual(['1000', '?1'])
    await expectFile(service, url, content)
  },
)

describe('The type of an append', () => {
  it.each([undefined, 'text/plain', PARTIAL])('has no meaning in interop version 5: %s', async (type) => {
    const url = locationOf(await create('5', { 'Upload-Length': '1000' }), service.url)
    expectComplete(await append('5', url, 0, type === undefined ? {} : { 'Content-Type': type }, content))
    await expectFile(service, url, content)
  })

  it.each(['6', '7', '8', '99'])('is required in interop version %s', async (version) => {
    const url = locationOf(await create(version, { 'Upload-Length': '1000' }), service.url)
    const answer = await append(version, url, 0, { 'Upload-Complete': '?1', 'Content-Type': 'text/plain' }, content)
    expect(answer.status).toBe(415)
  })
})

it.each(['7', '8', '99'])('Interop version %s completes an upload only by Upload-Complete: ?1', async (version) => {
  const url = locationOf(await create(version, { 'Upload-Length': '1000' }, content), service.url)
  expect(await stateOf(url)).toEqual(['1000', '?0'])
  const type: Headers = { 'Content-Type': PARTIAL }
  expect((await append(version, url, 1000, type)).status).toBe(400)
  expect((await append(version, url, 1000, { 'Upload-Complete': '?0', ...type })).status).toBe(204)
  expect(await stateOf(url)).toEqual(['1000', '?0'])
  expectComplete(await append(version, url, 1000, { 'Upload-Complete': '?1', ...type }))
  await expectFile(service, url, content)
})
