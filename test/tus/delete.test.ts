import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectNoBytes, expectSentence, expectToResume } from '../support/stored-uploads.ts'
import { beginPatch, createUpload, head, patch, reached, TUS } from '../support/tus.ts'
import { connect } from '../support/wire.ts'

describe('DELETE', () => {
  const content = bytesOf(10_000)
  let service: TestService
  let url: string
  /** Another upload, which a DELETE of the first must leave alone. */
  let neighbour: string
  beforeEach(async () => {
    service = await startService()
    url = await createUpload(service.url, content.length, { filename: 'a.bin' })
    neighbour = await createUpload(service.url, content.length, { filename: 'a.bin' })
    await patch(neighbour, 0, content.subarray(0, 77))
  })
  afterEach(() => service.close())

  const remove = (): Promise<Response> => fetch(url, { method: 'DELETE', headers: TUS })

  async function expectGone(): Promise<void> {
    // tus-java-client creates an upload again only after 404.
    const reported = await head(url)
    expect([reported.status, reported.headers.get('Upload-Error')]).toEqual([404, 'gone'])
    for (const version of ['5', '6', '8']) {
      const draft = await fetch(url, { method: 'HEAD', headers: { 'Upload-Draft-Interop-Version': version } })
      expect([draft.status, draft.headers.get('Upload-Error')]).toEqual([410, 'gone'])
    }
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(410)
    const read = await fetch(url)
    expect(read.status).toBe(410)
    expectSentence(await read.text(), service)
    const write = await patch(url, 0, content)
    expect(write.status).toBe(410)
    expectSentence(await write.text(), service)
    expect((await remove()).status).toBe(410)
    await expectNoBytes(service, url)
  }

  it('removes an unfinished upload, which remains gone after a restart', async () => {
    await patch(url, 0, content.subarray(0, 4000))
    const response = await remove()
    expect(response.status).toBe(204)
    expect(response.headers.get('Tus-Resumable')).toBe('1.0.0')
    await expectGone()
    const paths = [url, neighbour].map((address) => new URL(address).pathname)
    service = await service.restart()
    url = `${service.url}${paths[0]}`
    neighbour = `${service.url}${paths[1]}`
    await expectGone()
    await expectToResume(service, neighbour, content, 77)
  })

  it('removes an upload without bytes', async () => {
    expect((await remove()).status).toBe(204)
    await expectGone()
    await expectToResume(service, neighbour, content, 77)
  })

  it('removes a finished file', async () => {
    await patch(url, 0, content)
    expect((await fetch(url)).status).toBe(200)
    expect((await remove()).status).toBe(204)
    await expectGone()
    await expectToResume(service, neighbour, content, 77)
  })

  it('ends a running PATCH, which receives an error', async () => {
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 4000))
    await reached(url, 4000)
    expect((await remove()).status).toBe(204)
    const answer = await wire.answer()
    expect(answer.status).toBe(410)
    expectSentence(answer.body, service)
    await wire.cut()
    await expectGone()
    await expectToResume(service, neighbour, content, 77)
  })

  it('removes an upload once if many requests delete it at once', async () => {
    const statuses = (await Promise.all(Array.from({ length: 6 }, remove))).map(({ status }) => status)
    expect(statuses).toContain(204)
    expect(statuses.every((status) => status === 204 || status === 410)).toBe(true)
    await expectGone()
    await expectToResume(service, neighbour, content, 77)
  })
})
