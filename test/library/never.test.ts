/** Functions of an application that never return. */
import http from 'node:http'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createLandfall, type Landfall, type LandfallOptions } from '../../server/landfall.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { closeServer, listenLocally } from '../support/http-server.ts'
import { create, createUpload, head, patch, TUS } from '../support/tus.ts'

/** Requests that wait for the function, more than any limit of concurrency. */
const MANY = 200
/** How many uploads a client may create at once. */
const AT_ONCE = 8
/** Polls, by no timer. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

const never = (): Promise<never> => new Promise(() => undefined)

/** Everything but timers. */
const REAL = [
  'Date',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
] as const

let folder: TemporaryFolder
let landfall: Landfall
let server: http.Server
let base: string
let calls: number
beforeEach(async () => {
  folder = await temporaryFolder()
  calls = 0
})
afterEach(async () => {
  jest.useRealTimers()
  await closeServer(server)
  await landfall.close()
  await folder.dispose()
})

async function open(options: Partial<LandfallOptions>): Promise<void> {
  landfall = await createLandfall({ dataDir: folder.path, logLevel: 'silent', drain: 1, ...options })
  server = http.createServer(landfall.handler)
  base = await listenLocally(server)
}

/** Sends many requests, and returns when the function has been called for each. */
async function sendMany(send: () => Promise<unknown>): Promise<readonly Promise<unknown>[]> {
  const sent = Array.from({ length: MANY }, () => send().catch(() => undefined))
  await until(async () => calls >= MANY)
  return sent
}

/** Opens a service whose timers do not run. */
async function openWithoutTimers(options: Partial<LandfallOptions>): Promise<void> {
  jest.useFakeTimers({ doNotFake: [...REAL] })
  await open(options)
}

/** Ends every wait of at most a minute. Timers run from then on. */
async function oneMinute(): Promise<void> {
  await jest.advanceTimersByTimeAsync(60_000)
  jest.useRealTimers()
}

describe('A function that never returns', () => {
  it('keeps its client from creating anything only for a while, as beforeCreate', async () => {
    await openWithoutTimers({
      beforeCreate: ({ metadata }) => {
        if (metadata['quick'] !== undefined) return undefined
        calls += 1
        return never()
      },
    })
    const sent = Array.from({ length: AT_ONCE }, () => create(base, { 'Upload-Length': '5' }))
    await until(async () => calls === AT_ONCE)
    const quick = create(base, { 'Upload-Length': '5', 'Upload-Metadata': 'quick MQ==' })
    await oneMinute()
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual(sent.map(() => 503))
    expect((await quick).status).toBe(201)
  })

  it('holds up neither other uploads nor the end, as authorize', async () => {
    await open({
      authorize: ({ headers }) => {
        if (headers['x-quick'] !== undefined) return 'anonymous'
        calls += 1
        return never()
      },
    })
    const sent = await sendMany(() => create(base, { 'Upload-Length': '5' }))
    expect((await create(base, { 'Upload-Length': '5', 'X-Quick': 'yes' })).status).toBe(201)
    await landfall.close()
    await Promise.all(sent)
  })

  it('holds up neither the upload nor the end, as beforeDelete', async () => {
    await openWithoutTimers({
      beforeDelete: () => {
        calls += 1
        return never()
      },
    })
    const url = await createUpload(base, 5)
    const sent = fetch(url, { method: 'DELETE', headers: TUS })
    await until(async () => calls === 1)
    expect((await head(url)).status).toBe(200)
    expect((await patch(url, 0, new TextEncoder().encode('hello'))).status).toBe(204)
    await oneMinute()
    expect((await sent).status).toBe(503)
    expect((await head(url)).status).toBe(200)
    const last = fetch(url, { method: 'DELETE', headers: TUS }).catch(() => undefined)
    await until(async () => calls === 2)
    await landfall.close()
    await last
  })
})
