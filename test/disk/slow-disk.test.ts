import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { peakMemory } from '../support/memory.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, PATCH_HEADERS, patch } from '../support/tus.ts'
import { cut } from '../support/webuploader.ts'
import { expectDownload } from './client-operations.ts'

const PROGRAM = fileURLToPath(new URL('../support/program-on-slow-disk.mjs', import.meta.url))
const CLIENTS = 200
/** The file of each client, in bytes. */
const SIZE = MIB
const BYTES_PER_SECOND = 10 * MIB
const CHUNKS = 8
/** Bytes. */
const CHUNK = SIZE / CHUNKS
const STEP = 4096
const everything = bytesOf(SIZE + CLIENTS * STEP)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

async function start(more: Readonly<Record<string, string>> = {}): Promise<void> {
  const settings = { DATA_DIR: folder.path, BYTES_PER_SECOND: String(BYTES_PER_SECOND), ...more }
  program = await startProgram(settings, PROGRAM)
}

/** Each client has different bytes. */
function contentOf(client: number): Buffer<ArrayBuffer> {
  return everything.subarray(client * STEP, client * STEP + SIZE)
}

function chunksOf(content: Buffer<ArrayBuffer>): Buffer<ArrayBuffer>[] {
  return Array.from({ length: CHUNKS }, (_, i) => content.subarray(i * CHUNK, (i + 1) * CHUNK))
}

/** One of the concurrent clients. It has begun, so from now on only the disk decides its speed. */
interface Client {
  readonly url: string
  readonly content: Buffer
  sendAll(): Promise<void>
  /** How many of its chunks have been acknowledged since it began. */
  acknowledged(): number
}

/** Like tus-js-client with a `chunkSize`. */
async function tusClient(index: number): Promise<Client> {
  const content = contentOf(index)
  const url = await createUpload(program.url, SIZE)
  let acknowledged = 0
  return {
    url,
    content,
    sendAll: async () => {
      for (const [i, chunk] of chunksOf(content).entries()) {
        expect((await patch(url, i * CHUNK, chunk)).status).toBe(204)
        acknowledged += 1
      }
    },
    acknowledged: () => acknowledged,
  }
}

/** Like a page with two threads. */
async function webUploaderClient(index: number): Promise<Client> {
  const content = contentOf(index)
  const file = cut(content, CHUNK, { task_id: `wu_task_of_client_${index}` })
  const first = await land(program.url, file, 0)
  let acknowledged = 0
  const chunks = Array.from({ length: CHUNKS - 1 }, (_, i) => i + 1)
  const thread = async (): Promise<void> => {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      await land(program.url, file, chunk)
      acknowledged += 1
    }
  }
  return {
    url: new URL(first.url, program.url).href,
    content,
    sendAll: async () => {
      await Promise.all([thread(), thread()])
    },
    acknowledged: () => acknowledged,
  }
}

/** Returns when as many chunks have been acknowledged as there are clients. @throws what a client throws. */
async function underWay(clients: readonly Client[], sending: readonly Promise<void>[]): Promise<void> {
  const acknowledged = (): number => clients.reduce((sum, client) => sum + client.acknowledged(), 0)
  const failed = Promise.all(sending).then(() => undefined)
  while (acknowledged() < clients.length) await Promise.race([pause(50), failed])
}

/** The peak memory of the program when it has not grown for a while, in MiB. */
async function settledMemory(): Promise<number> {
  const looks = [await peakMemory(program.process)]
  while (looks.length < 6 || looks.at(-1) !== looks.at(-4)) {
    await pause(500)
    looks.push(await peakMemory(program.process))
  }
  return looks.at(-1) ?? 0
}

/**
 * Polls the health of the service until stopped.
 *
 * @returns a function that stops it, and returns the longest response time in milliseconds.
 */
function watchHealth(): () => Promise<number> {
  const watcher = new Worker(new URL('watch-health.mjs', import.meta.url), { workerData: program.url })
  const slowest = once(watcher, 'message')
  return async () => {
    watcher.postMessage('stop')
    const [milliseconds] = await slowest
    return Number(milliseconds)
  }
}

/** Half of the clients, half of them of each kind. */
function halfOfClients(first: number): Promise<Client[]> {
  const kinds = [tusClient, webUploaderClient]
  return Promise.all(
    Array.from({ length: CLIENTS / 4 }, (_, i) => kinds.map((make, kind) => make(first + 2 * i + kind))).flat(),
  )
}

describe('A disk that is slower than its clients', () => {
  it('slows down all of them, starves none, and costs neither memory nor health checks', async () => {
    await start()
    // In this order, because those that began last have unsynced bytes, and need not wait for the disk to add more.
    const late = await halfOfClients(0)
    const early = await halfOfClients(CLIENTS / 2)
    const health = watchHealth()
    const sending = early.map((client) => client.sendAll())
    await underWay(early, sending)
    sending.push(...late.map((client) => client.sendAll()))
    await underWay(late, sending)
    const starved = early.filter((client) => client.acknowledged() === 0)
    await Promise.all(sending)
    const slowest = await health()
    const memory = await peakMemory(program.process)
    for (const { url, content } of [...early, ...late]) await expectDownload(url, content)
    // One whose bytes were synced between two writes of a chunk may wait for another turn.
    expect(starved.length).toBeLessThan(5)
    expect(memory).toBeLessThan(300)
    // A second, plus the delay of a busy host.
    expect(slowest).toBeLessThan(10_000)
  }, 240_000)

  it('makes the service stop reading after a bounded number of bytes while it stalls', async () => {
    await start({ STANDS_AFTER: String(MIB) })
    const urls = await Promise.all(Array.from({ length: CLIENTS }, () => createUpload(program.url, 4 * MIB)))
    const sent = Buffer.alloc(4 * MIB)
    const over = new AbortController()
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '0' }
    for (const url of urls) {
      // It receives no response, and ends with the test.
      fetch(url, { method: 'PATCH', headers, body: sent, signal: over.signal }).catch(() => undefined)
    }
    expect(await settledMemory()).toBeLessThan(300)
    expect((await fetch(`${program.url}/healthz`)).status).toBe(200)
    over.abort()
  }, 120_000)
})
