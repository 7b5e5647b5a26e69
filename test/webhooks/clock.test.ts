/** The clock of the host jumps while events wait. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { useClockAhead } from '../support/clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Receiver, startReceiver, WEBHOOK_SECRET } from '../support/receiver.ts'
import { startServiceOn, type TestService } from '../support/service.ts'
import { create, idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

const HOUR = 3_600_000
const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let receiver: Receiver
let service: TestService
/** How many attempts came before the jump. */
let before: number
beforeEach(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver()
  service = await startServiceOn(folder.path, receiver.settings)
})
afterEach(async () => {
  jest.useRealTimers()
  await service.close()
  await receiver.close()
  await folder.dispose()
})

async function upload(): Promise<string> {
  return locationOf(await create(service.url, { 'Upload-Length': '5', ...TYPE }, Buffer.from('hello')), service.url)
}

/** The attempts for one upload since the jump: their types, and whether their signatures are valid by the clock of now. */
function attemptsFor(url: string): readonly string[] {
  return receiver.deliveries
    .slice(before)
    .filter(({ upload }) => upload === idOf(url))
    .map(({ type, body, headers }) => {
      const fields = Object.entries(headers).map(([name, value]) => [name, String(value)])
      new Webhook(WEBHOOK_SECRET).verify(body, Object.fromEntries(fields))
      return type
    })
}

describe.each([
  ['an hour ahead', HOUR],
  ['an hour back', -HOUR],
])('A clock that jumps %s', (_, by) => {
  it('neither stops nor reorders webhooks, whose signatures have the time of the attempt', async () => {
    let accept = (): void => undefined
    receiver.answer((response) => {
      accept = () => response.writeHead(204).end()
    })
    const url = await upload()
    await receiver.count(1)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    useClockAhead(by)
    receiver.answer((response) => response.writeHead(204).end())
    before = receiver.deliveries.length
    accept()
    await receiver.count(before + 1)
    const later = await upload()
    await receiver.count(before + 2)
    expect(attemptsFor(url)).toEqual(['upload.deleted'])
    expect(attemptsFor(later)).toEqual(['upload.finished'])
  })

  it('keeps no webhook from being sent after a restart, in order', async () => {
    receiver.answer((response) => response.destroy())
    const url = await upload()
    await receiver.count(1)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    await service.close()
    useClockAhead(by)
    before = receiver.deliveries.length
    receiver.answer((response) => response.writeHead(204).end())
    service = await startServiceOn(folder.path, receiver.settings)
    await receiver.count(before + 2)
    expect(attemptsFor(url)).toEqual(['upload.finished', 'upload.deleted'])
  })
})
