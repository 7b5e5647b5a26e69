import { createHmac } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { startService, type TestService } from '../support/service.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { create, idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

const KEY = Buffer.alloc(32, 7)
const OTHER = Buffer.alloc(32, 8)
const secretOf = (key: Buffer): string => `whsec_${key.toString('base64')}`
const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

interface Received {
  readonly type: string
  readonly id: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

let received: Received[]
let statuses: number[]
let receiver: StubServer
let service: TestService

beforeEach(async () => {
  received = []
  statuses = []
  receiver = await startStub((request, response) => {
    void text(request).then((body) => {
      const { type, data } = JSON.parse(body)
      received.push({ type, id: data.id, headers: request.headers, body })
      response.writeHead(statuses.shift() ?? 204, { Location: `${receiver.url}/elsewhere`, 'Retry-After': '0' }).end()
    })
  })
  const secrets = `${secretOf(KEY)} ${secretOf(OTHER)}`
  service = await startService({ WEBHOOK_URLS: `${receiver.url}/hook`, WEBHOOK_SECRET: secrets })
})
afterEach(async () => {
  await service.close()
  await receiver.close()
})

async function upload(): Promise<string> {
  const response = await create(service.url, { 'Upload-Length': '5', ...TYPE }, Buffer.from('hello'))
  return locationOf(response, service.url)
}

async function count(least: number): Promise<void> {
  while (received.length < least) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('A webhook', () => {
  it('reports a finished file, and then its deletion, signed with both secrets', async () => {
    const url = await upload()
    await fetch(url, { method: 'DELETE', headers: TUS })
    await count(2)
    expect(received.map(({ type, id }) => [type, id])).toEqual([
      ['upload.finished', idOf(url)],
      ['upload.deleted', idOf(url)],
    ])
    for (const { headers, body } of received) {
      const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
      const sign = (key: Buffer): string => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
      expect(headers['webhook-signature']).toBe(`${sign(KEY)} ${sign(OTHER)}`)
    }
    expect(JSON.parse(received[0]?.body ?? '').data).toMatchObject({ size: 5, path: `files/${idOf(url)}/file` })
  })

  it('is sent after a restart if the receiver was down', async () => {
    statuses = [503]
    const url = await upload()
    await count(1)
    service = await service.restart()
    await count(2)
    expect(received.map(({ id }) => id)).toEqual([idOf(url), idOf(url)])
    expect(received[0]?.headers['webhook-id']).toBe(received[1]?.headers['webhook-id'])
    service = await service.restart()
    await upload()
    await count(3)
    expect(received).toHaveLength(3)
  })

  it('is not sent after 410, until the next start', async () => {
    statuses = [410]
    const first = await upload()
    await count(1)
    const second = await upload()
    service = await service.restart()
    await count(3)
    expect(
      received
        .slice(1)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([idOf(first), idOf(second)].sort())
  })
})
