import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectSentence } from '../support/stored-uploads.ts'
import { createUpload, idOf, patch } from '../support/tus.ts'
import { type Answer, connect, requestHead } from '../support/wire.ts'

let service: TestService
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

async function ask(method: string, target: string): Promise<Answer> {
  const wire = await connect(service.url)
  await wire.send(requestHead(method, target, { 'Content-Length': 0, Connection: 'close' }))
  const answer = await wire.answer(method)
  await wire.cut()
  return answer
}

describe('A target in absolute form', () => {
  it('is reduced to its path and query, for each host that may be this service', async () => {
    const url = await createUpload(service.url, 10, { type: 'image/png' })
    await patch(url, 0, bytesOf(10))
    for (const host of ['http://localhost', 'https://other.lan:8443', 'http://[::1]']) {
      const answer = await ask('GET', `${host}/files/${idOf(url)}?inline`)
      expect([answer.status, answer.headers.get('Content-Disposition')]).toEqual([200, 'inline'])
    }
    expect((await ask('GET', 'http://localhost')).status).toBe(200)
  })

  it.each([
    ['http://[/files', 400, 'bad_request'],
    ['http://%zz/files', 400, 'bad_request'],
    ['http://a.example:x/files', 400, 'bad_request'],
    ['http://a:99999/files', 400, 'bad_request'],
    ['http://a:b@[::1]/files', 400, 'bad_request'],
    ['http://?x', 400, 'bad_request'],
    ['*', 404, 'not_found'],
  ])('(%s) is refused with %d', async (target, status, code) => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await ask(method, target)
      expect([answer.status, answer.headers.get('Upload-Error')]).toEqual([status, code])
      expectSentence(answer.body, service)
    }
  })
})
