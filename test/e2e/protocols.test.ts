import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { type PreviousUpload, Upload, type UploadOptions, type UrlStorage } from 'tus-js-client'
import { MIB } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, storedFile } from '../support/sample-files.ts'
import { head, patch } from '../support/tus.ts'
import { type ChunkFields, complete, fileFields, sendChunk } from '../support/webuploader.ts'

jest.setTimeout(120_000)

let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  folder = await temporaryFolder()
  landfall = await startLandfall()
})

afterAll(async () => {
  await landfall.dispose()
  await folder.dispose()
})

const idIn = (url: string | null): string => new URL(url ?? '', landfall.url).pathname.replace('/files/', '')

/** An upload by tus-js-client, its end, and the offsets of its PATCH requests. */
function tusUpload(input: Buffer | ReturnType<typeof createReadStream>, options: Partial<UploadOptions>) {
  const offsets: number[] = []
  let resolve: () => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const done = new Promise<void>((onDone, onFailure) => {
    resolve = onDone
    reject = onFailure
  })
  const upload = new Upload(input, {
    endpoint: `${landfall.url}/files`,
    retryDelays: [0, 200, 500, 1000, 2000],
    onBeforeRequest: (request) => {
      if (request.getMethod() === 'PATCH') offsets.push(Number(request.getHeader('Upload-Offset')))
    },
    onSuccess: () => resolve(),
    onError: (error) => reject(error),
    ...options,
  })
  return { upload, offsets, done }
}

/** Stores URLs in a file, for another client. */
function jsonStorage(file: string): UrlStorage {
  const all = async (): Promise<PreviousUpload[]> => JSON.parse(await readFile(file, 'utf8').catch(() => '[]'))
  const having = async (key: string) => (await all()).filter((upload) => upload.urlStorageKey.startsWith(key))
  return {
    findAllUploads: all,
    findUploadsByFingerprint: having,
    removeUpload: async (key) => {
      const others = (await all()).filter((upload) => upload.urlStorageKey !== key)
      await writeFile(file, JSON.stringify(others))
    },
    addUpload: async (fingerprint, upload) => {
      await writeFile(file, JSON.stringify([...(await all()), { ...upload, urlStorageKey: fingerprint }]))
      return fingerprint
    },
  }
}

describe('tus-js-client in Node', () => {
  it('resumes by itself after a kill inside the body and a restart of the program', async () => {
    const file = await randomFile(folder.path, 'tus.bin', 100 * MIB + 3)
    let restarted: Promise<void> | undefined
    const { upload, offsets, done } = tusUpload(createReadStream(file.path), {
      uploadSize: file.size,
      metadata: { filename: file.name },
      onProgress: (sent) => {
        if (sent > 40 * MIB) restarted ??= landfall.kill().then(() => landfall.startAgain())
      },
    })
    upload.start()
    await done
    await restarted
    expect(offsets[0]).toBe(0)
    expect(offsets.at(-1)).toBeGreaterThan(0)
    expect((await storedFile(landfall.dataDir, idIn(upload.url))).sha256).toBe(file.sha256)
  })

  it('resumes in another process at the stored URL', async () => {
    const file = await randomFile(folder.path, 'stored.bin', 30 * MIB + 3)
    const storage = { urlStorage: jsonStorage(path.join(folder.path, 'urls.json')), chunkSize: 4 * MIB }
    const first = tusUpload(createReadStream(file.path), {
      ...storage,
      onChunkComplete: (_, accepted) => {
        if (accepted >= 12 * MIB) void first.upload.abort().then(stopped)
      },
    })
    let stopped: () => void = () => undefined
    const broken = new Promise<void>((resolve) => {
      stopped = resolve
    })
    first.upload.start()
    await broken

    const second = tusUpload(createReadStream(file.path), storage)
    const [previous] = await second.upload.findPreviousUploads()
    if (previous === undefined) throw new Error('No URL was stored.')
    second.upload.resumeFromPreviousUpload(previous)
    second.upload.start()
    await second.done
    expect(second.upload.url).toBe(first.upload.url)
    expect(second.offsets[0]).toBeGreaterThanOrEqual(12 * MIB)
    expect((await storedFile(landfall.dataDir, idIn(second.upload.url))).sha256).toBe(file.sha256)
  })
})

describe('One upload by both protocols', () => {
  const CHUNK = MIB
  const CHUNKS = 8
  const SIZE = 7 * CHUNK + 321
  const bytes = randomBytes(SIZE)
  let count = 0
  let taskId = ''

  beforeEach(() => {
    count += 1
    taskId = `wu_1k83m941f1a21krp1sa2ofak9t${count}`
  })

  const fieldsOf = (chunk: number): ChunkFields => ({ ...fileFields('both.bin', SIZE, taskId), chunks: CHUNKS, chunk })
  const part = (chunk: number) => new Uint8Array(bytes.subarray(chunk * CHUNK, (chunk + 1) * CHUNK))

  async function send(chunk: number, body = part(chunk)): Promise<{ status: number; url: string; code?: string }> {
    const response = await sendChunk(landfall.url, fieldsOf(chunk), body)
    const answer: { url?: string; error?: { code: string } } = JSON.parse(await response.text())
    const url = new URL(answer.url ?? '/', landfall.url).href
    return { status: response.status, url, ...(answer.error === undefined ? {} : { code: answer.error.code }) }
  }

  async function offsetOf(url: string): Promise<number> {
    return Number((await head(url)).headers.get('Upload-Offset'))
  }

  async function expectComplete(url: string): Promise<void> {
    const response = await complete(landfall.url, { task_id: taskId, filename: 'both.bin' })
    expect(response.status).toBe(200)
    const stored = await storedFile(landfall.dataDir, path.basename(new URL(url).pathname))
    expect((await readFile(stored.path)).equals(bytes)).toBe(true)
  }

  it('can be begun by a page and finished by tus-js-client', async () => {
    let url = ''
    for (const chunk of [0, 1, 3]) url = (await send(chunk)).url
    const { upload, offsets, done } = tusUpload(bytes, { uploadUrl: url })
    upload.start()
    await done
    expect(offsets).toEqual([2 * CHUNK])
    await expectComplete(url)
  })

  it('accepts chunks that agree with a prefix sent by tus', async () => {
    const { url } = await send(3)
    expect(await offsetOf(url)).toBe(0)
    const prefix = CHUNK + CHUNK / 2
    expect((await patch(url, 0, new Uint8Array(bytes.subarray(0, prefix)))).status).toBe(204)
    expect(await offsetOf(url)).toBe(prefix)
    const statuses = []
    for (const chunk of [7, 1, 0, 2, 4, 5, 6]) statuses.push((await send(chunk)).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200])
    await expectComplete(url)
  })

  it('refuses a chunk that differs from that prefix, and keeps the stored bytes', async () => {
    const { url } = await send(3)
    const prefix = CHUNK + CHUNK / 2
    await patch(url, 0, new Uint8Array(bytes.subarray(0, prefix)))
    const other = part(1)
    other[CHUNK / 2 - 1] = ((other[CHUNK / 2 - 1] ?? 0) + 1) % 256
    expect(await send(1, other)).toMatchObject({ status: 409, code: 'content_differs' })
    expect(await offsetOf(url)).toBe(prefix)
    const { upload, done } = tusUpload(bytes, { uploadUrl: url })
    upload.start()
    await done
    await expectComplete(url)
  })
})
