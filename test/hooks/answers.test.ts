/** What a receiver may answer, and what it may not. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { startService, type TestService } from '../support/service.ts'
import { beginPatch, create, createUpload, head, patch, TUS } from '../support/tus.ts'
import { connect, until } from '../support/wire.ts'
import { type HookReceiver, startReceiver } from './receiver.ts'

const HELLO = Buffer.from('Hello, world!')
const ALL = 'pre-create,post-create,post-receive,pre-finish,post-finish,pre-terminate,post-terminate,post-expire'
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const OLDER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`

let receiver: HookReceiver
let service: TestService

beforeEach(async () => {
  receiver = await startReceiver()
  service = await startService({ HOOKS_URL: receiver.url, HOOKS_EVENTS: ALL, PROGRESS_INTERVAL: '10' })
})

afterEach(async () => {
  await service.close()
  await receiver.close()
})

const answerToCreation = async (http: unknown): Promise<Response> => {
  receiver.answers['pre-create'] = { HTTPResponse: http }
  return create(service.url, { 'Upload-Length': '13' })
}

describe('An answer', () => {
  it.each([
    ['a line break in a value', { 'X-Page': 'a\r\nSet-Cookie: b=c' }],
    ['a value outside Latin-1', { 'X-Page': '世界' }],
    ['a name with a space', { 'X Page': 'a' }],
    ['a name with a line break', { 'X-Page: a\r\nX-Other': 'b' }],
    ['an empty name', { '': 'a' }],
    ['a value that is not a string', { 'X-Page': 5 }],
  ])('with %s is none', async (_, Header) => {
    const response = await answerToCreation({ Header })
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([503, 'application_unavailable'])
    expect(response.headers.get('Set-Cookie')).toBeNull()
  })

  it('cannot change the headers of the protocol, and those that frame the response', async () => {
    const Header = {
      'Content-Length': '1',
      'Transfer-Encoding': 'chunked',
      'Content-Encoding': 'gzip',
      Connection: 'close',
      Location: 'https://elsewhere.example/',
      'Upload-Offset': '5',
      'Tus-Resumable': '2.0.0',
      'Access-Control-Allow-Origin': '*',
      'Set-Cookie': 'a=b',
      'X-Page': '5',
    }
    const { status, headers } = await answerToCreation({ Header })
    expect(status).toBe(201)
    expect(headers.get('Location')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/files\/\w+$/)
    const names = ['Upload-Offset', 'Tus-Resumable', 'Access-Control-Allow-Origin', 'Transfer-Encoding']
    expect(names.map((name) => headers.get(name))).toEqual(['0', '1.0.0', null, null])
    expect([headers.get('X-Page'), headers.get('Set-Cookie')]).toEqual(['5', 'a=b'])
  })

  it('to the last byte is kept without its cookies', async () => {
    receiver.answers['pre-finish'] = { HTTPResponse: { Header: { 'Set-Cookie': 'a=b', 'X-Page': '5' } } }
    const url = await createUpload(service.url, 13)
    await patch(url, 0, HELLO)
    const { headers } = await head(url)
    expect([headers.get('X-Page'), headers.get('Set-Cookie')]).toEqual(['5', null])
  })

  it.each([-1, 0, 99, 101, 199, 302, 404, 500, 600, 1000])(
    'cannot make a success of the status %d',
    async (StatusCode) => {
      expect((await answerToCreation({ StatusCode })).status).toBe(201)
    },
  )

  it.each([-1, 0, 99, 101, 200, 204, 302, 600, 1000])('cannot refuse with the status %d', async (StatusCode) => {
    receiver.answers['pre-create'] = { RejectUpload: true, HTTPResponse: { StatusCode } }
    expect((await create(service.url, { 'Upload-Length': '13' })).status).toBe(400)
  })

  it.each([
    ['a result of more than 2 KiB', { Result: 'x'.repeat(3_000) }],
    ['a status that is not a number', { HTTPResponse: { StatusCode: '200' } }],
    ['a list', []],
    ['metadata with a bad key', { ChangeFileInfo: { MetaData: { 'a b': 'c' } } }],
  ])('that is %s is none', async (_, answer) => {
    receiver.answers['pre-create'] = answer
    expect((await create(service.url, { 'Upload-Length': '13' })).status).toBe(503)
  })

  it.each(['../escape', 'a/b', '.', '', 'a\0b'])('cannot place an upload at the id %j', async (ID) => {
    receiver.answers['pre-create'] = { ChangeFileInfo: { ID } }
    const response = await create(service.url, { 'Upload-Length': '13' })
    expect(response.status).toBe(ID === '' ? 201 : 500)
    expect(await response.text()).not.toContain('escape')
  })

  it('cannot give an upload the id of another one', async () => {
    receiver.answers['pre-create'] = { ChangeFileInfo: { ID: 'chosen' } }
    const statuses = []
    for (let i = 0; i < 2; i += 1) statuses.push((await create(service.url, { 'Upload-Length': '13' })).status)
    expect(statuses).toEqual([201, 500])
  })
})

describe('StopUpload', () => {
  it('ends a running PATCH with its answer, and removes the upload', async () => {
    receiver.answers['post-receive'] = { StopUpload: true, HTTPResponse: { StatusCode: 418, Body: 'No tea.' } }
    const url = await createUpload(service.url, 13)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, 13, HELLO.subarray(0, 5))
    expect(await wire.answer()).toMatchObject({ status: 418, body: 'No tea.' })
    await receiver.called('post-terminate')
    expect((await head(url)).status).toBe(404)
    await wire.cut()
  })

  it('keeps a file that is complete meanwhile', async () => {
    receiver.answers['post-receive'] = { StopUpload: true }
    const url = await createUpload(service.url, 13)
    await patch(url, 0, HELLO)
    // Calls of one upload take turns.
    await Promise.all([receiver.called('post-receive'), receiver.called('post-finish')])
    expect(await (await fetch(url)).text()).toBe('Hello, world!')
  })
})

describe('post-expire', () => {
  it('reports an upload that no client continued', async () => {
    service = await service.restart({ EXPIRES_AFTER: '1' })
    const url = await createUpload(service.url, 13, { filename: 'a.txt' })
    await receiver.called('post-expire')
    expect(receiver.find('post-expire')?.Event).toMatchObject({
      Upload: { ID: url.slice(url.lastIndexOf('/') + 1), Size: 13, Offset: 0, MetaData: { filename: 'a.txt' } },
      HTTPRequest: { Method: '', URI: '', RemoteAddr: '', Header: {} },
    })
  })
})

describe('HOOKS_SECRET', () => {
  it('signs every call by Standard Webhooks, also with an older secret', async () => {
    service = await service.restart({ HOOKS_SECRET: `${SECRET} ${OLDER_SECRET}` })
    await fetch(await createUpload(service.url, 13), { method: 'DELETE', headers: TUS })
    await receiver.called('post-terminate')
    for (const secret of [SECRET, OLDER_SECRET]) {
      const webhook = new Webhook(secret)
      for (const [index, { headers }] of receiver.requests.entries()) {
        const signed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
        expect(webhook.verify(JSON.stringify(receiver.calls[index]), signed)).toEqual(receiver.calls[index])
      }
    }
    await until(async () => receiver.requests.length === receiver.calls.length)
  })

  it('must be one of Standard Webhooks', async () => {
    await expect(service.restart({ HOOKS_SECRET: 'secret' })).rejects.toThrow('HOOKS_SECRET must be whsec_')
    service = await service.restart()
  })
})
