import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Webhook } from 'standardwebhooks'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type OtherProgram, startOther } from '../support/other-program.ts'
import { WEBHOOK_SECRET } from '../support/receiver.ts'
import { startService } from '../support/service.ts'
import { createUpload, idOf } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const run = promisify(execFile)
const EXAMPLES = fileURLToPath(new URL('../../examples/webhooks', import.meta.url))

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(async () => {
  await folder.dispose()
})

/** The commands that start the receivers. */
const RECEIVERS: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  Node: async () => [process.execPath, path.join(EXAMPLES, 'node', 'receiver.mjs')],
  Python: async () => ['python3', path.join(EXAMPLES, 'python', 'receiver.py')],
  Go: async () => {
    const program = path.join(folder.path, 'receiver')
    await run('go', ['build', '-o', program, '.'], { cwd: path.join(EXAMPLES, 'go') })
    return [program]
  },
}

function signed(id: string, time: Date, body: string): Readonly<Record<string, string>> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(time.getTime() / 1000)),
    'webhook-signature': `v1,AAAA ${new Webhook(WEBHOOK_SECRET).sign(id, time, body)}`,
  }
}

describe.each(Object.entries(RECEIVERS))('The example receiver in %s', (_, command) => {
  let receiver: OtherProgram
  beforeAll(async () => {
    receiver = await startOther(await command(), { PORT: '0', WEBHOOK_SECRET })
  }, 120_000)
  afterAll(async () => {
    await receiver.end()
  })

  const post = async (body: string, headers: Readonly<Record<string, string>>): Promise<number> =>
    (await fetch(receiver.url, { method: 'POST', headers, body })).status

  it('receives the event of a file', async () => {
    const service = await startService({ WEBHOOK_URLS: receiver.url, WEBHOOK_SECRET })
    const url = await createUpload(service.url, 0, { filename: 'a.txt' })
    await until(async () => receiver.output().includes(`upload.finished ${idOf(url)} a.txt`))
    await service.close()
  })

  it('accepts a repeated event, and handles it once', async () => {
    const body = JSON.stringify({ type: 'upload.finished', data: { id: 'twice', name: 'a.txt' } })
    expect(await post(body, signed('evt_1', new Date(), body))).toBe(204)
    expect(await post(body, signed('evt_1', new Date(), body))).toBe(204)
    const last = JSON.stringify({ type: 'upload.finished', data: { id: 'last', name: 'a.txt' } })
    expect(await post(last, signed('evt_2', new Date(), last))).toBe(204)
    await until(async () => receiver.output().includes('upload.finished last a.txt'))
    expect(receiver.output().match(/upload.finished twice a.txt/g)).toHaveLength(1)
  })

  it('survives a client that disconnects in the middle of an event', async () => {
    const { hostname, port } = new URL(receiver.url)
    const client = connect(Number(port), hostname)
    client.write('POST / HTTP/1.1\r\nHost: receiver\r\nContent-Length: 100\r\n\r\n{')
    client.end()
    await once(client.resume(), 'close')
    expect(await post('{}', {})).toBe(401)
  })

  it.each([
    ['another body', (body: string) => signed('evt_3', new Date(), `${body} `)],
    ['another id', (body: string) => ({ ...signed('evt_3', new Date(), body), 'webhook-id': 'evt_4' })],
    ['an old time stamp', (body: string) => signed('evt_3', new Date(Date.now() - 600_000), body)],
    [
      'a time stamp that is not a number',
      (body: string) => ({ ...signed('evt_3', new Date(), body), 'webhook-timestamp': 'x' }),
    ],
    ['no signature', () => ({})],
  ])('refuses an event with %s', async (_, headers) => {
    const body = JSON.stringify({ type: 'upload.finished', data: { id: 'forged', name: 'a.txt' } })
    expect(await post(body, headers(body))).toBe(401)
    expect(receiver.output()).not.toContain('forged')
  })
})
