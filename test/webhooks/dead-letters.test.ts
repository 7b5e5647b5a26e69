import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import pino from 'pino'
import { Events } from '../../server/core/events.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { openWebhooks, type Webhooks } from '../../server/open-webhooks.ts'
import { parseSettings } from '../../server/read-settings.ts'
import { webhooks } from '../../server/webhooks-command.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { accept, answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { recordOf } from '../support/store-contract.ts'
import { until } from '../support/wire.ts'

let folder: TemporaryFolder
let receiver: Receiver
let opened: Webhooks
let uploads: Uploads
beforeEach(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver()
  await open()
})
afterEach(async () => {
  await close()
  await receiver.close()
  await folder.dispose()
})

async function open(): Promise<void> {
  const settings = parseSettings(environment())
  const schedule = { delays: [0, 1, 1], firstPause: 1, maxPause: 1 }
  opened = openWebhooks(settings, pino({ level: 'silent' }), { onStep: () => undefined }, schedule)
  const reports = { events: new Events(), outbox: opened.outbox, progressInterval: 0 }
  uploads = await openStore({ directory: folder.path, sync: 'finish', reports })
}

async function close(): Promise<void> {
  await uploads.end()
  await opened.close()
  await uploads.close()
}

function environment(): Readonly<Record<string, string>> {
  return { ...receiver.settings, WEBHOOK_URLS: `${receiver.url}/secret`, DATA_DIR: folder.path }
}

/** What the command prints. */
async function run(args: readonly string[], changed: Readonly<Record<string, string>> = {}): Promise<string> {
  const lines: string[] = []
  await webhooks({ ...environment(), ...changed }, args, (line) => lines.push(line))
  return lines.join('\n')
}

async function finish(id: string): Promise<void> {
  await uploads.for(anyone).createFinished(
    recordOf(id, 2),
    async () => [Buffer.from('hi')],
    async () => undefined,
  )
}

/** Two files, whose events the receiver does not accept. @returns the ids of the events. */
async function giveUpTwo(): Promise<readonly string[]> {
  receiver.answer(answerWith(500))
  await finish('one')
  await finish('two')
  await until(async () => /pending: 0\n {2}dead: 2/.test(await run(['ls'])))
  return [...(await run(['ls'])).matchAll(/evt_[0-9a-f]{32}/g)].map(([id]) => id)
}

describe('A dead letter', () => {
  it('is listed with its upload and the last error, and without the path of the URL', async () => {
    await giveUpTwo()
    const listed = await run(['ls'])
    expect(listed).toContain(receiver.url)
    expect(listed).not.toContain('/secret')
    expect(listed).toMatch(/ {2}pending: 0\n {2}dead: 2\n/)
    expect(listed).toMatch(/evt_[0-9a-f]{32} finished one \S+ "status 500"/)
    expect(receiver.deliveries).toHaveLength(6)
  })

  it('is sent again on request while the service runs', async () => {
    const [first = ''] = await giveUpTwo()
    receiver.answer(accept)
    expect(await run(['retry', first])).toBe('Dead letters queued: 1.')
    await receiver.count(7)
    expect(receiver.deliveries[6]?.headers['webhook-id']).toBe(first)
    expect(await run(['ls'])).toMatch(/dead: 1/)
  })

  it('is sent again by the next start, if the request comes while the service is stopped', async () => {
    await giveUpTwo()
    await close()
    expect(await run(['retry'])).toBe('Dead letters queued: 2.')
    receiver.answer(accept)
    await open()
    await receiver.count(8)
    await close()
    await open()
    expect(await run(['ls'])).toMatch(/pending: 0\n {2}dead: 0/)
    expect(receiver.deliveries).toHaveLength(8)
  })

  it('stays one if its receiver is not in the settings any more', async () => {
    await giveUpTwo()
    await close()
    const { url } = receiver
    await receiver.close()
    receiver = await startReceiver()
    await run(['retry'])
    await open()
    await until(async () => /not in WEBHOOK_URLS\)\n {2}pending: 0\n {2}dead: 2/.test(await run(['ls'])))
    expect(receiver.url).not.toBe(url)
  })

  it('is unknown if it has another id', async () => {
    await giveUpTwo()
    await expect(run(['retry', 'evt_5'])).rejects.toThrow('Unknown dead letter: evt_5.')
  })
})

describe('A pending event', () => {
  it('is counted with the time of the oldest', async () => {
    const held: (() => void)[] = []
    receiver.answer((response) => held.push(() => accept(response)))
    const before = Date.now()
    await finish('one')
    await finish('two')
    await receiver.count(2)
    // The marks that they are true are written a little later.
    await until(async () => /pending: 2/.test(await run(['ls'])))
    const [, time = ''] = /the oldest since (\S+)/.exec(await run(['ls'])) ?? []
    expect(Date.parse(time)).toBeGreaterThanOrEqual(before)
    for (const answer of held) answer()
    await until(async () => /pending: 0/.test(await run(['ls'])))
  })
})
