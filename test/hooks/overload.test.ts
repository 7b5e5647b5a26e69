/** Hooks of a receiver that is slower than its uploads. */
import type http from 'node:http'
import { afterEach, describe, expect, it } from '@jest/globals'
import { temporaryFolder } from '../support/folder.ts'
import { startProgram } from '../support/program.ts'
import { startService } from '../support/service.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { create } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp()
})

async function startReceiver(): Promise<StubServer> {
  const receiver = await startStub(() => undefined)
  cleanups.push(receiver.close)
  return receiver
}

describe('A client', () => {
  it('cannot take all calls that run at once', async () => {
    const receiver = await startReceiver()
    receiver.answer((request, response) => {
      request.resume()
      if (request.headers['x-forwarded-for'] !== '192.0.2.1') response.writeHead(204).end()
    })
    const service = await startService({
      HOOKS_URL: receiver.url,
      HOOKS_EVENTS: 'pre-create',
      HOOKS_TIMEOUT: '60000',
      HOOKS_RETRIES: '0',
      HOOKS_FORWARD_HEADERS: 'X-Forwarded-For',
      TRUST_PROXY: 'true',
      CREATIONS_PER_MINUTE: '0',
    })
    cleanups.push(service.close)
    const from = (client: string) => create(service.url, { 'Upload-Length': '5', 'X-Forwarded-For': client })
    const hanging = Array.from({ length: 80 }, () => from('192.0.2.1').catch(() => undefined))
    await until(async () => receiver.requests.length >= 16)
    // All of these, before any call of the other client has ended.
    for (let i = 0; i < 5; i += 1) expect((await from('198.51.100.1')).status).toBe(201)
    await receiver.close()
    cleanups.shift()
    await Promise.all(hanging)
  })
})

describe('The queue of calls', () => {
  it('is bounded, and the log has the number of lost ones', async () => {
    const receiver = await startReceiver()
    const held: http.ServerResponse[] = []
    receiver.answer((request, response) => {
      request.resume()
      held.push(response)
    })
    const data = await temporaryFolder()
    cleanups.push(data.dispose)
    const program = await startProgram({
      DATA_DIR: data.path,
      HOOKS_URL: receiver.url,
      HOOKS_EVENTS: 'post-create',
      HOOKS_TIMEOUT: '60000',
      SYNC: 'never',
      CREATIONS_PER_MINUTE: '0',
      QUOTA_UNFINISHED: '0',
    })
    cleanups.push(() => program.end('SIGKILL'))
    let log = ''
    program.process.stderr?.on('data', (text) => {
      log += String(text)
    })
    const long = 'x'.repeat(20_000)
    const headers = { 'Upload-Length': '5', 'X-One': long, 'X-Two': long, 'X-Three': long }
    for (let sent = 0; sent < 600; sent += 50) {
      await Promise.all(Array.from({ length: 50 }, () => create(program.url, headers)))
    }
    receiver.answer((request, response) => {
      request.resume()
      response.writeHead(204).end()
    })
    for (const response of held) response.writeHead(204).end()
    await program.end('SIGTERM')
    const lines = log.split('\n').filter((line) => line.includes('dropped'))
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatch(/"lost":[1-9]\d+,/)
  })
})
