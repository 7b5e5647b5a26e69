/** Hooks over HTTP, as clients and a receiver see them. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Upload } from 'tus-js-client'
import { startService, type TestService } from '../support/service.ts'
import { create, createUpload, head, idOf, locationOf, patch, TUS } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { type Handler, type HookReceiver, startReceiver } from './receiver.ts'

const HELLO = Buffer.from('Hello, world!')
const ALL = 'pre-create,post-create,post-receive,pre-finish,post-finish,pre-terminate,post-terminate,post-fail'
const SECRET_TEXT = 'the inside of the receiver'

let receiver: HookReceiver
let service: TestService

beforeEach(async () => {
  receiver = await startReceiver()
  service = await startService({
    HOOKS_URL: receiver.url,
    HOOKS_EVENTS: ALL,
    HOOKS_BACKOFF: '1',
    HOOKS_TIMEOUT: '1000',
    HOOKS_FORWARD_HEADERS: 'X-Application',
  })
})

afterEach(async () => {
  await service.close()
  await receiver.close()
})

const types = (): readonly string[] => receiver.calls.map(({ Type }) => Type)

describe('A receiver', () => {
  it('learns what happens to an upload of tus, in order', async () => {
    const made = await create(service.url, {
      'Upload-Length': '13',
      'Upload-Metadata': `filename ${Buffer.from('a.txt').toString('base64')},flag`,
      'X-Application': 'x',
    })
    const url = locationOf(made, service.url)
    expect((await patch(url, 0, HELLO)).status).toBe(204)
    await receiver.called('post-finish')
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    await receiver.called('post-terminate')
    expect(types().filter((type) => type.startsWith('pre-'))).toEqual(['pre-create', 'pre-finish', 'pre-terminate'])
    expect(types().filter((type) => type.startsWith('post-'))).toEqual([
      'post-create',
      'post-receive',
      'post-finish',
      'post-terminate',
    ])
    const upload = {
      Size: 13,
      SizeIsDeferred: false,
      MetaData: { filename: 'a.txt', flag: '' },
      IsPartial: false,
      IsFinal: false,
      PartialUploads: null,
    }
    expect(receiver.find('pre-create')?.Event.Upload).toEqual({ ...upload, ID: '', Offset: 0, Storage: null })
    const storage = { Type: 'filestore', Path: path.join(service.dataDir, 'files', idOf(url), 'a.txt') }
    expect(receiver.find('post-finish')?.Event.Upload).toEqual({
      ...upload,
      ID: idOf(url),
      Offset: 13,
      Storage: storage,
    })
    expect(receiver.find('pre-create')?.Event.HTTPRequest).toMatchObject({ Method: 'POST', URI: '/files' })
    expect(receiver.find('pre-create')?.Event.HTTPRequest.Header).toMatchObject({
      Host: [new URL(service.url).host],
      'Upload-Length': ['13'],
    })
    expect(receiver.requests[0]?.headers['x-application']).toBe('x')
  })

  it('learns of an upload of WebUploader', async () => {
    const file = cut(HELLO, 100)
    const response = await sendChunk(service.url, file.fields(0), file.bytes(0))
    expect(response.status).toBe(200)
    await receiver.called('post-finish')
    expect(receiver.find('post-finish')?.Event.Upload['MetaData']).toMatchObject({ task_id: file.common.task_id })
  })

  it('refuses an upload with its own status, headers, and body', async () => {
    receiver.answers['pre-create'] = {
      rejectupload: true,
      httpResponse: { statuscode: 418, BODY: 'No tea.', header: { 'X-Reason': 'tea' } },
    }
    const response = await create(service.url, { 'Upload-Length': '13' })
    expect([response.status, await response.text(), response.headers.get('X-Reason')]).toEqual([418, 'No tea.', 'tea'])
    expect(await readdir(path.join(service.dataDir, 'incoming'))).toEqual([])
  })

  it('chooses the id and the metadata of an upload', async () => {
    receiver.answers['pre-create'] = { ChangeFileInfo: { ID: 'chosen', MetaData: { filename: 'b.txt' } } }
    const url = await createUpload(service.url, 13, { filename: 'a.txt' })
    expect(idOf(url)).toBe('chosen')
    expect((await head(url)).headers.get('Upload-Metadata')).toBe(`filename ${Buffer.from('b.txt').toString('base64')}`)
  })

  it('refuses a deletion', async () => {
    receiver.answers['pre-terminate'] = { RejectTermination: true }
    const url = await createUpload(service.url, 13)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(400)
    expect((await head(url)).status).toBe(200)
  })

  it('stops an upload, which is removed', async () => {
    receiver.answers['post-receive'] = { StopUpload: true }
    const url = await createUpload(service.url, 13)
    await patch(url, 0, HELLO.subarray(0, 5))
    await receiver.called('post-terminate')
    expect((await head(url)).status).toBe(404)
  })

  it('adds a result to the response of the last byte, and to later ones', async () => {
    receiver.answers['pre-finish'] = { HTTPResponse: { Header: { 'X-Page': '5' } }, Result: { page: 5 } }
    const url = await createUpload(service.url, 13)
    for (const response of [await patch(url, 0, HELLO), await head(url)]) {
      expect([response.headers.get('Upload-Result'), response.headers.get('X-Page')]).toEqual(['{"page":5}', '5'])
    }
  })

  it.each([
    [{ Body: '{"page":5}', Header: { 'Content-Type': 'application/json' } }, 'application/json'],
    [{ Body: '<b>page</b>' }, 'text/plain; charset=utf-8'],
  ])('answers the request of the last byte with its own body %j', async (answer, type) => {
    receiver.answers['pre-finish'] = { HTTPResponse: { StatusCode: 203, ...answer } }
    const response = await patch(await createUpload(service.url, 13), 0, HELLO)
    expect([response.status, response.headers.get('Content-Type')]).toEqual([203, type])
    expect(await response.text()).toBe(answer.Body)
  })

  it('rejects a file, which tus-js-client reports, for good', async () => {
    receiver.answers['pre-finish'] = { RejectUpload: true, HTTPResponse: { StatusCode: 403, Body: 'Not this one.' } }
    const failed = new Promise<{ url: string; message: string }>((resolve, reject) => {
      const upload: Upload = new Upload(HELLO, {
        endpoint: `${service.url}/files`,
        retryDelays: [1, 1],
        onSuccess: () => reject(new Error('It was reported as complete.')),
        onError: ({ message }) => resolve({ url: upload.url ?? '', message }),
      })
      upload.start()
    })
    const { url, message } = await failed
    expect(message).toContain('Not this one.')
    const id = idOf(url)
    await receiver.called('post-fail')
    expect(receiver.find('post-fail')?.Event.Upload).toMatchObject({ ID: id, Failure: 'rejected' })
    await until(async () => (await readdir(path.join(service.dataDir, 'quarantine'))).length === 1)
    service = await service.restart()
    expect((await head(`${service.url}/files/${id}`)).status).toBe(423)
    expect((await fetch(`${service.url}/files/${id}`)).status).toBe(403)
  })
})

const JSON_TYPE = { 'Content-Type': 'application/json' }
/** A valid answer with a member that no receiver of tusd has. */
const answerOf = (text: string): string => JSON.stringify({ Text: text })

const BROKEN: Readonly<Record<string, [attempts: number, handler: Handler]>> = {
  'answers 500': [3, (_, response) => response.writeHead(500, JSON_TYPE).end(answerOf(SECRET_TEXT))],
  'answers 404': [1, (_, response) => response.writeHead(404, JSON_TYPE).end(answerOf(SECRET_TEXT))],
  redirects: [
    1,
    (request, response) => response.writeHead(302, { ...JSON_TYPE, Location: request.url }).end(answerOf(SECRET_TEXT)),
  ],
  resets: [3, (request) => request.socket.resetAndDestroy()],
  hangs: [3, () => undefined],
  'answers a byte at a time': [
    3,
    (_, response) => {
      response.writeHead(200, JSON_TYPE)
      const timer = setInterval(() => response.write(' '), 200)
      response.once('close', () => clearInterval(timer))
    },
  ],
  'answers megabytes': [1, (_, response) => response.writeHead(200, JSON_TYPE).end(answerOf('x'.repeat(5_000_000)))],
  'answers no JSON': [1, (_, response) => response.writeHead(200, JSON_TYPE).end(SECRET_TEXT)],
  'answers another type': [1, (_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('{}')],
}

describe.each(Object.entries(BROKEN))('A receiver that %s', (_, [attempts, handler]) => {
  it('keeps uploads from being created, without a word of it for the client', async () => {
    receiver.fail(handler)
    const response = await create(service.url, { 'Upload-Length': '13' })
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([503, 'application_unavailable'])
    expect(await response.text()).toBe('The application is not available at the moment; try again later.\n')
    expect(receiver.requests).toHaveLength(attempts)
    expect(await readdir(path.join(service.dataDir, 'incoming'))).toEqual([])
  })

  it('keeps a file pending, which no client takes for a finished one', async () => {
    const url = await createUpload(service.url, 13)
    receiver.fail(handler)
    const response = await patch(url, 0, HELLO)
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([503, 'application_unavailable'])
    expect(await response.text()).toBe('The file has arrived, but is not accepted yet; try again later.\n')
    expect((await head(url)).status).toBe(423)
    expect((await fetch(url)).status).toBe(409)
    expect(await fileNames()).toEqual([])
  })
})

const fileNames = (): Promise<string[]> => readdir(path.join(service.dataDir, 'files'), { recursive: true })

/** Resumes an upload with tus-js-client. @returns how that ended. */
function uploadOf(uploadUrl: string): Promise<'success' | Error> {
  return new Promise((resolve) => {
    const upload = new Upload(HELLO, {
      endpoint: `${service.url}/files`,
      uploadUrl,
      retryDelays: [1, 1],
      onSuccess: () => resolve('success'),
      onError: resolve,
    })
    upload.start()
  })
}

describe('A receiver that answers late, but in time', () => {
  it('is waited for', async () => {
    receiver.answers['pre-finish'] = { Result: { page: 5 } }
    const url = await createUpload(service.url, 13)
    receiver.fail((request, response) => setTimeout(() => receiver.answerNow(request, response), 500))
    expect((await patch(url, 0, HELLO)).headers.get('Upload-Result')).toBe('{"page":5}')
  })
})

describe('A file without a decision', () => {
  it('is an error for tus-js-client, which succeeds later', async () => {
    const url = await createUpload(service.url, 13)
    receiver.fail((_, response) => response.writeHead(500).end())
    expect(await uploadOf(url)).toBeInstanceOf(Error)
    receiver.recover()
    await until(async () => (await head(url)).status === 200)
    expect(await uploadOf(url)).toBe('success')
    expect((await fileNames()).filter((name) => name.includes('/'))).toHaveLength(1)
  })

  it('is pending again after a restart', async () => {
    const url = await createUpload(service.url, 13)
    receiver.fail((_, response) => response.writeHead(404).end())
    await patch(url, 0, HELLO)
    service = await service.restart()
    const again = `${service.url}/files/${idOf(url)}`
    expect((await head(again)).status).toBe(423)
    receiver.recover()
    service = await service.restart()
    await until(async () => (await head(`${service.url}/files/${idOf(url)}`)).status === 200)
    expect(receiver.find('pre-finish')?.Event.Upload['ID']).toBe(idOf(url))
  })

  it.each([0, 13, 100_000])('is withdrawn if it came with its creation, with %d bytes', async (length) => {
    receiver.answers['pre-finish'] = 'nonsense'
    const body = Buffer.alloc(length, 'x')
    const headers = { 'Upload-Length': String(length), 'Content-Type': 'application/offset+octet-stream' }
    const response = await create(service.url, headers, body)
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([503, 'application_unavailable'])
    receiver.answers['pre-finish'] = {}
    expect((await create(service.url, headers, body)).status).toBe(201)
    expect(await readdir(path.join(service.dataDir, 'incoming'))).toEqual([])
    expect((await fileNames()).filter((name) => name.includes('/'))).toHaveLength(1)
  })

  it('is an error for a client that joins parts, until it is accepted', async () => {
    const parts: string[] = []
    for (const [length, content] of [
      ['5', 'Hello'],
      ['8', ', world!'],
    ] as const) {
      const part = locationOf(
        await create(service.url, { 'Upload-Length': length, 'Upload-Concat': 'partial' }),
        service.url,
      )
      await patch(part, 0, Buffer.from(content))
      parts.push(new URL(part).pathname)
    }
    const concat = { 'Upload-Concat': `final;${parts.join(' ')}` }
    receiver.answers['pre-finish'] = 'nonsense'
    expect((await create(service.url, concat)).status).toBe(503)
    receiver.answers['pre-finish'] = { Result: { page: 5 } }
    await until(async () => (await create(service.url, concat)).headers.get('Upload-Result') === '{"page":5}')
  })
})
