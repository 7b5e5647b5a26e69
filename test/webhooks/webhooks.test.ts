import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { isInBucket } from '../support/bucket-settings.ts'
import { answerWith, type Receiver, startReceiver, WEBHOOK_SECRET } from '../support/receiver.ts'
import { startService, type TestService } from '../support/service.ts'
import { create, createUpload, idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

const OTHER_SECRET = `whsec_${Buffer.alloc(48, 8).toString('base64')}`
const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

let receiver: Receiver
let service: TestService

beforeEach(async () => {
  receiver = await startReceiver()
  service = await startService({ ...receiver.settings, WEBHOOK_SECRET: `${WEBHOOK_SECRET} ${OTHER_SECRET}` })
})
afterEach(async () => {
  await service.close()
  await receiver.close()
})

async function upload(): Promise<string> {
  const response = await create(service.url, { 'Upload-Length': '5', ...TYPE }, Buffer.from('hello'))
  return locationOf(response, service.url)
}

/** The header fields with one value. */
function headersOf({ headers }: Receiver['deliveries'][number]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )
}

describe('A webhook', () => {
  it('reports a finished file, and then its deletion', async () => {
    const url = await upload()
    await fetch(url, { method: 'DELETE', headers: TUS })
    await receiver.count(2)
    expect(receiver.deliveries.map(({ type, upload }) => [type, upload])).toEqual([
      ['upload.finished', idOf(url)],
      ['upload.deleted', idOf(url)],
    ])
    const { timestamp, data } = JSON.parse(receiver.deliveries[0]?.body ?? '')
    expect(data).toMatchObject({ size: 5, offset: 5 })
    expect(isInBucket ? data.key : data.path).toMatch(new RegExp(`files/(?:[^/]*/)*${idOf(url)}/file$`))
    expect(new Date(timestamp).toISOString()).toBe(timestamp)
  })

  it.each([
    ['the old secret', WEBHOOK_SECRET],
    ['the new secret', OTHER_SECRET],
  ])('passes a verification with %s during a rotation', async (_, secret) => {
    await upload()
    await receiver.count(1)
    for (const delivery of receiver.deliveries) {
      const webhook = new Webhook(secret)
      expect(webhook.verify(delivery.body, headersOf(delivery))).toEqual(JSON.parse(delivery.body))
      expect(() => webhook.verify(`${delivery.body} `, headersOf(delivery))).toThrow()
    }
    const stranger = new Webhook(`whsec_${Buffer.alloc(32, 9).toString('base64')}`)
    for (const delivery of receiver.deliveries) {
      expect(() => stranger.verify(delivery.body, headersOf(delivery))).toThrow()
    }
  })

  it('has less than 20,000 bytes, however long the metadata is', async () => {
    await service.close()
    service = await startService({ ...receiver.settings, MAX_METADATA: '60000' })
    await createUpload(service.url, 0, { filename: 'a'.repeat(1000), note: '"'.repeat(9000), small: 'kept' })
    await receiver.count(1)
    expect(Buffer.byteLength(receiver.deliveries[0]?.body ?? '')).toBeLessThan(20_000)
    const { data } = JSON.parse(receiver.deliveries[0]?.body ?? '')
    expect(data).toMatchObject({ metadata: { small: 'kept' }, metadata_truncated: true })
  })

  it('is sent after a restart if the receiver was down', async () => {
    receiver.answer((response) => answerWith(receiver.deliveries.length === 1 ? 503 : 204)(response))
    const url = await upload()
    await receiver.count(1)
    service = await service.restart()
    await receiver.count(2)
    expect(receiver.deliveries.map(({ upload }) => upload)).toEqual([idOf(url), idOf(url)])
    expect(receiver.deliveries[0]?.headers['webhook-id']).toBe(receiver.deliveries[1]?.headers['webhook-id'])
    service = await service.restart()
    await upload()
    await receiver.count(3)
    expect(receiver.deliveries).toHaveLength(3)
  })

  it('is not sent after 410, until the next start', async () => {
    receiver.answer((response) => answerWith(receiver.deliveries.length === 1 ? 410 : 204)(response))
    const first = await upload()
    await receiver.count(1)
    const second = await upload()
    service = await service.restart()
    await receiver.count(3)
    const later = receiver.deliveries.slice(1).map(({ upload }) => upload)
    expect(later.sort()).toEqual([idOf(first), idOf(second)].sort())
  })
})
