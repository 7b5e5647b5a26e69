/** Receivers that accept connections and requests, and never answer. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { accept, type Receiver, startReceiver } from '../support/receiver.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { create, idOf, locationOf, PATCH_HEADERS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const UPLOADS = 120
const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }
/** Longer than the test: no attempt ends because of the time. */
const LONG = { WEBHOOK_TIMEOUT: '300', HOOKS_TIMEOUT: '300000' }
/** Requests that a receiver gets at once. */
const CONCURRENT = { webhooks: 8, hooks: 64 }

let folder: TemporaryFolder
let receiver: Receiver
let hooks: StubServer
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver()
  receiver.answer(() => undefined)
  hooks = await startStub((request) => void request.resume())
  await start()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await hooks.close()
  await receiver.close()
  await folder.dispose()
})

async function start(): Promise<void> {
  program = await startProgram({
    DATA_DIR: folder.path,
    ...receiver.settings,
    HOOKS_URL: hooks.url,
    HOOKS_EVENTS: 'post-create,post-finish',
    CREATIONS_PER_MINUTE: '0',
    ...LONG,
  })
}

/** @returns the ids. */
async function uploadMany(): Promise<readonly string[]> {
  const ids: string[] = []
  while (ids.length < UPLOADS) {
    const headers = { 'Upload-Length': '5', ...TYPE }
    const made = await Promise.all(Array.from({ length: 8 }, () => create(program.url, headers, Buffer.from('hello'))))
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 201))
    ids.push(...made.map((response) => idOf(locationOf(response, program.url))))
  }
  return ids
}

/** Waits until the receiver has accepted an event of each of these uploads. */
async function allReported(ids: readonly string[], before: number): Promise<void> {
  await until(async () => {
    const reported = new Set(receiver.deliveries.slice(before).map(({ upload }) => upload))
    return ids.every((id) => reported.has(id))
  })
}

describe('A receiver that never answers', () => {
  it('keeps no upload waiting, and receives every event after a kill of the service, when it answers again', async () => {
    const ids = await uploadMany()
    const before = receiver.deliveries.length
    expect(before).toBeLessThanOrEqual(CONCURRENT.webhooks)
    expect(hooks.requests.length).toBeLessThanOrEqual(CONCURRENT.hooks)
    await program.end('SIGKILL')
    receiver.answer(accept)
    await start()
    await allReported(ids, before)
  })

  it('receives every event when it answers again while the service runs', async () => {
    const held: (() => void)[] = []
    receiver.answer((response) => void held.push(() => accept(response)))
    const ids = await uploadMany()
    receiver.answer(accept)
    for (const answer of held) answer()
    await allReported(ids, 0)
    const types = receiver.deliveries.filter(({ upload }) => upload === ids[0]).map(({ type }) => type)
    expect(types).toEqual(['upload.finished'])
  })
})
