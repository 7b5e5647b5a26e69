/** Hooks of uploads by the IETF draft, and of WebUploader pages. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Upload, type UploadOptions } from 'tus-js-client'
import { ask, append as draftAppend, create as draftCreate, createUpload as draftUpload } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { idOf } from '../support/tus.ts'
import { complete, cut, MULTIPART, multipartBody, sendChunk } from '../support/webuploader.ts'
import { type HookReceiver, startReceiver } from './receiver.ts'

const HELLO = Buffer.from('Hello, world!')
const REJECTION = { RejectUpload: true, HTTPResponse: { StatusCode: 403, Body: 'Not this one.' }, Result: { why: 5 } }
/** An answer that is none: the hook has failed. */
const NONSENSE = 'nonsense'
const VISITOR = `landfall_visitor=${'a'.repeat(32)}`

let receiver: HookReceiver
let service: TestService

beforeEach(async () => {
  receiver = await startReceiver()
  service = await startService({
    HOOKS_URL: receiver.url,
    HOOKS_EVENTS: 'pre-create,post-create,pre-finish,post-finish,pre-terminate,post-terminate,post-fail,post-expire',
    HOOKS_BACKOFF: '1',
    HOOKS_RETRIES: '1',
    EXPIRES_AFTER: '3600',
  })
})

afterEach(async () => {
  await service.close()
  await receiver.close()
})

describe('A client of the draft', () => {
  it('receives the result with its last byte, and later', async () => {
    receiver.answers['pre-finish'] = { Result: { page: 5 } }
    const url = await draftUpload(service.url)
    const last = await draftAppend(url, 0, true, HELLO)
    expect([last.status, last.headers.get('Upload-Result')]).toEqual([201, '{"page":5}'])
    expect((await ask('HEAD', url)).headers.get('Upload-Result')).toBe('{"page":5}')
    await receiver.called('post-finish')
    expect(receiver.find('post-finish')?.Event.Upload).toMatchObject({ ID: idOf(url), Size: 13, Offset: 13 })
  })

  it('receives the result with a creation that has all bytes', async () => {
    receiver.answers['pre-finish'] = { Result: 'ü' }
    const response = await draftCreate(service.url, true, HELLO)
    expect([response.status, response.headers.get('Upload-Result')]).toEqual([201, '"\\u00fc"'])
  })

  it('is refused before the upload exists', async () => {
    receiver.answers['pre-create'] = { RejectUpload: true }
    const response = await draftCreate(service.url, true, HELLO)
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { detail: 'The application refused this upload.' },
    ])
    expect(receiver.find('post-create')).toBeUndefined()
  })

  it('learns that its file was rejected, for good', async () => {
    receiver.answers['pre-finish'] = REJECTION
    const url = await draftUpload(service.url)
    const last = await draftAppend(url, 0, true, HELLO)
    expect([last.status, last.headers.get('Upload-Complete'), await last.text()]).toEqual([403, '?1', 'Not this one.'])
    expect((await ask('HEAD', url)).status).toBe(422)
  })

  it('learns that its file is not accepted yet', async () => {
    receiver.answers['pre-finish'] = NONSENSE
    const url = await draftUpload(service.url)
    expect((await draftAppend(url, 0, true, HELLO)).status).toBe(503)
    const state = await ask('HEAD', url)
    expect([state.status, state.headers.get('Upload-Complete')]).toEqual([204, '?0'])
  })

  it('cannot cancel an upload if the application refuses', async () => {
    receiver.answers['pre-terminate'] = { RejectTermination: true }
    const url = await draftUpload(service.url)
    expect((await ask('DELETE', url)).status).toBe(400)
    expect((await ask('HEAD', url)).status).toBe(204)
  })
})

describe.each(['ietf-draft-03', 'ietf-draft-05'] as const)('tus-js-client with %s', (protocol) => {
  it('reports an error while the file is not accepted', async () => {
    receiver.answers['pre-finish'] = NONSENSE
    const url = await draftUpload(service.url, undefined, {
      'Upload-Draft-Interop-Version': '6',
      'Upload-Length': '13',
    })
    const outcome = await new Promise((resolve) => {
      // The client's types lack the protocol.
      const options: UploadOptions & { protocol: string } = {
        uploadUrl: url,
        protocol,
        retryDelays: [1, 1],
        onSuccess: () => resolve('success'),
        onError: resolve,
      }
      new Upload(HELLO, options).start()
    })
    expect(outcome).toBeInstanceOf(Error)
  })
})

describe('A WebUploader page', () => {
  const file = cut(HELLO, 5)

  it('receives the result with its last chunk, and with its complete', async () => {
    receiver.answers['pre-finish'] = { Result: { page: 5 } }
    const responses = []
    for (let chunk = 0; chunk < file.count; chunk += 1) {
      const body = multipartBody(file.fields(chunk), file.bytes(chunk))
      const headers = { 'Content-Type': MULTIPART, Cookie: VISITOR }
      responses.push(await (await fetch(`${service.url}/upload/accept`, { method: 'POST', headers, body })).json())
    }
    expect(responses.map(({ finished, result }) => [finished, result])).toEqual([
      [false, undefined],
      [false, undefined],
      [true, { page: 5 }],
    ])
    const query = { task_id: String(file.common.task_id), filename: 'big.bin' }
    const response = await complete(service.url, query, VISITOR)
    expect([response.status, await response.json()]).toMatchObject([200, { result: { page: 5 } }])
  })

  it('learns with its last chunk that the file was rejected, and why', async () => {
    receiver.answers['pre-finish'] = REJECTION
    const whole = cut(HELLO, 100)
    const response = await sendChunk(service.url, whole.fields(0), whole.bytes(0))
    expect([response.status, await response.json()]).toEqual([
      403,
      { ok: false, error: { code: 'rejected', message: 'The application rejected this file.' }, result: { why: 5 } },
    ])
  })

  it('learns that the file is not accepted yet', async () => {
    receiver.answers['pre-finish'] = NONSENSE
    const whole = cut(HELLO, 100)
    const response = await sendChunk(service.url, whole.fields(0), whole.bytes(0))
    expect([response.status, await response.json()]).toMatchObject([200, { ok: true, finished: false }])
    const confirmation = await complete(service.url, { task_id: String(whole.common.task_id), filename: 'big.bin' })
    expect([confirmation.status, await confirmation.json()]).toMatchObject([409, { error: { code: 'scanning' } }])
  })

  it('is refused with its first chunk', async () => {
    receiver.answers['pre-create'] = { RejectUpload: true }
    const response = await sendChunk(service.url, file.fields(0), file.bytes(0))
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'refused' } }])
  })
})
