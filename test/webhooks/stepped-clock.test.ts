/** The clock of the program steps by hours: while hooks and webhooks wait for their next attempt, and over a kill. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { Layout } from '../../server/disk/layout.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { accept, answerWith, type Receiver, startReceiver, WEBHOOK_SECRET } from '../support/receiver.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { create, createUpload, idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const CLOCK = fileURLToPath(new URL('../support/shifted-clock.mjs', import.meta.url))
const STOPPING = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
const HOUR = 3_600_000
/** Receivers refuse signatures that are older or newer, in milliseconds. */
const TOLERANCE = 300_000
const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

let folder: TemporaryFolder
let receiver: Receiver
let hooks: StubServer
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  receiver = await startReceiver()
  hooks = await startStub((request, response) => {
    request.resume()
    response.writeHead(204).end()
  })
})
afterEach(async () => {
  await program.end('SIGKILL')
  await hooks.close()
  await receiver.close()
  await folder.dispose()
})

/** @param settings those of its clock, and others. */
async function start(settings: Readonly<Record<string, string>>, main?: string): Promise<void> {
  const all = {
    DATA_DIR: folder.path,
    ...receiver.settings,
    WEBHOOK_EVENTS: 'created,finished,deleted',
    HOOKS_URL: hooks.url,
    HOOKS_EVENTS: 'pre-finish',
    HOOKS_SECRET: WEBHOOK_SECRET,
    NODE_OPTIONS: `--import=${CLOCK}`,
    ...settings,
  }
  program = await startProgram(all, main)
}

async function stepClock(): Promise<void> {
  program.process.kill('SIGUSR2')
  await until(async () => program.errors().includes('The clock has stepped.'))
}

function upload(): Promise<Response> {
  return create(program.url, { 'Upload-Length': '5', ...TYPE }, Buffer.from('hello'))
}

async function remove(id: string): Promise<number> {
  return (await fetch(`${program.url}/files/${id}`, { method: 'DELETE', headers: TUS })).status
}

/** How far the time of a signature is from that of this process, in milliseconds. */
function aheadOf({ headers }: Pick<Receiver['deliveries'][number], 'headers'>): number {
  return Number(headers['webhook-timestamp']) * 1000 - Date.now()
}

function isNear(ahead: number, expected: number): boolean {
  return Math.abs(ahead - expected) < TOLERANCE
}

function isSigned({ headers, body }: Receiver['deliveries'][number]): boolean {
  const time = new Date(Number(headers['webhook-timestamp']) * 1000)
  return new Webhook(WEBHOOK_SECRET).sign(String(headers['webhook-id']), time, body) === headers['webhook-signature']
}

describe.each([
  ['five hours ahead', 5 * HOUR],
  ['five hours back', -5 * HOUR],
])('A clock that steps %s', (_, by) => {
  it('does not stop the next attempt of a webhook, which is signed with the new time', async () => {
    receiver.answer(answerWith(500))
    await start({ CLOCK_STEP: String(by) })
    const url = locationOf(await upload(), program.url)
    await receiver.count(1)
    await stepClock()
    receiver.answer(accept)
    expect(await remove(idOf(url))).toBe(204)
    await receiver.count(4)
    const [failed, ...accepted] = receiver.deliveries
    expect(accepted.map(({ type }) => type)).toEqual(['upload.created', 'upload.finished', 'upload.deleted'])
    expect(accepted.map((delivery) => [isNear(aheadOf(delivery), by), isSigned(delivery)])).toEqual(
      accepted.map(() => [true, true]),
    )
    expect([accepted[0]?.headers['webhook-id'], accepted[0]?.body]).toEqual([
      failed?.headers['webhook-id'],
      failed?.body,
    ])
  })

  it('does not end a decision of the application, which is asked again and signed with the new time', async () => {
    await start({ CLOCK_STEP: String(by) })
    hooks.answer((request, response) => {
      request.resume()
      void stepClock().then(() => {
        hooks.answer((again, accepted) => {
          again.resume()
          accepted.writeHead(204).end()
        })
        response.writeHead(503).end()
      })
    })
    expect((await upload()).status).toBe(201)
    expect(
      hooks.requests.map((request) => aheadOf(request)).map((ahead) => [isNear(ahead, 0), isNear(ahead, by)]),
    ).toEqual([
      [true, false],
      [false, true],
    ])
  })

  it('keeps no event from being delivered after a kill, in order', async () => {
    receiver.answer(() => undefined)
    await start({})
    const url = locationOf(await upload(), program.url)
    await receiver.count(1)
    await program.end('SIGKILL')
    await start({ CLOCK_AHEAD: String(by) })
    expect(await remove(idOf(url))).toBe(204)
    const unfinished = await createUpload(program.url, 5)
    await program.end('SIGKILL')
    receiver.answer(accept)
    const before = receiver.deliveries.length
    await start({})
    await receiver.count(before + 4)
    const typesOf = (id: string): readonly string[] =>
      receiver.deliveries.slice(before).flatMap(({ type, upload }) => (upload === id ? [type] : []))
    expect(typesOf(idOf(url))).toEqual(['upload.created', 'upload.finished', 'upload.deleted'])
    expect(typesOf(idOf(unfinished))).toEqual(['upload.created'])
  })
})

describe('A clock that steps back after a creation', () => {
  it('does not keep it from being reported, although the upload was deleted while there were no webhooks', async () => {
    await start({ CLOCK_AHEAD: String(5 * HOUR), STOP_AT: 'create:record' }, STOPPING)
    await expect(createUpload(program.url, 5)).rejects.toThrow()
    await start({ WEBHOOK_URLS: '' })
    const [id = ''] = await readdir(new Layout(folder.path).incoming)
    expect(await remove(id)).toBe(204)
    await program.end('SIGTERM')
    await start({})
    await receiver.count(1)
    expect(receiver.deliveries).toMatchObject([{ type: 'upload.created', upload: id }])
  })
})
