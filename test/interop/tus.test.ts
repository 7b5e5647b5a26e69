import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { storedFile } from '../support/sample-files.ts'
import { idOf, TUS } from '../support/tus.ts'
import { SIZE, TUS_CLIENTS, type TusClient } from './clients.ts'
import { type Gate, startGate } from './gate.ts'
import { startJob } from './job.ts'

const NAME = `测试 文件 "a" 'b'.bin`
const content = bytesOf(SIZE)

let landfall: Landfall
let files: TemporaryFolder
/** Where the client of one test remembers its upload. */
let store: string

beforeAll(async () => {
  landfall = await startLandfall({ ALLOWED_ORIGINS: '*' })
  files = await temporaryFolder()
})
beforeEach(async () => {
  store = await mkdtemp(path.join(files.path, 'store-'))
})
afterAll(async () => {
  await landfall.dispose()
  await files.dispose()
})

async function jobOf(base: string, bytes: Buffer, options: Readonly<Record<string, unknown>> = {}) {
  const file = path.join(files.path, `${bytes.length}.bin`)
  // Clients recognize a file by its modification time.
  if (!existsSync(file)) await writeFile(file, bytes)
  return { endpoint: `${base}/files`, file, name: NAME, store, options }
}

/** Runs a job to its end and expects the file. @returns the upload's id. */
async function expectUpload(client: TusClient, base: string, bytes: Buffer, options = {}): Promise<string> {
  const output = await startJob(client, await jobOf(base, bytes, options)).output
  const id = idOf(output.trim())
  const download = await fetch(`${landfall.url}/files/${id}`)
  expect([download.status, sha256(Buffer.from(await download.arrayBuffer()))]).toEqual([200, sha256(bytes)])
  expect(await storedFile(landfall.dataDir, id)).toMatchObject({ name: NAME, sha256: sha256(bytes) })
  return id
}

/** Stops the client within a request. @returns the proxy, now open, and the id of the upload. */
async function breakOff(client: TusClient): Promise<{ gate: Gate; id: string }> {
  const incoming = path.join(landfall.dataDir, 'incoming')
  const before = new Set(await readdir(incoming))
  const gate = await startGate(landfall.url, 3_500_000)
  const job = startJob(client, await jobOf(gate.url, content))
  await Promise.race([gate.shut, job.output])
  await job.stop(client.stopSignal)
  gate.open()
  const ids = (await readdir(incoming)).filter((id) => !before.has(id))
  expect(ids).toHaveLength(1)
  return { gate, id: ids[0] ?? '' }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe.each(TUS_CLIENTS)('$name', (client) => {
  it.each([0, 100_000])('uploads %d bytes under a name with Chinese, spaces, and quotes', async (size) => {
    await expectUpload(client, landfall.url, bytesOf(size))
  })

  it.each(['as it comes', ...Object.keys(client.ways)])('uploads %s', async (way) => {
    await expectUpload(client, landfall.url, content, client.ways[way])
  })

  it('resumes in a new process after it was stopped within a request', async () => {
    const { gate, id } = await breakOff(client)
    try {
      expect(await expectUpload(client, gate.url, content)).toBe(id)
      expect(gate.passed).toBeLessThan(3_000_000)
    } finally {
      await gate.close()
    }
  })
})

describe.each(TUS_CLIENTS.filter(({ retries }) => retries))('$name', (client) => {
  const ways = Object.keys(client.ways).filter((way) => !client.hangs?.includes(way))

  it.each(['as it comes', ...ways])('uploads %s over a connection that breaks at random places', async (way) => {
    const proxy = await startFaultyProxy(landfall.url, 5, 8, 2_000_000)
    try {
      await expectUpload(client, proxy.url, content, client.ways[way])
      expect(proxy.cuts).toBeGreaterThan(1)
    } finally {
      await proxy.close()
    }
  })
})

describe.each(TUS_CLIENTS.filter(({ recreates }) => recreates))('$name', (client) => {
  it('creates a new upload when the one it remembers was deleted', async () => {
    const { gate, id } = await breakOff(client)
    try {
      const deleted = await fetch(`${landfall.url}/files/${id}`, { method: 'DELETE', headers: TUS })
      expect(deleted.status).toBe(204)
      expect(await expectUpload(client, gate.url, content)).not.toBe(id)
    } finally {
      await gate.close()
    }
  })
})
