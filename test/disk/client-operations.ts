import { createHash } from 'node:crypto'
import { expect } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import {
  create,
  createUpload,
  head,
  locationOf,
  offsetOf,
  PATCH_HEADERS,
  patch,
  patchWith,
  TUS,
} from '../support/tus.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'

/** A request that a client is about to send. */
export interface Situation {
  readonly ask: () => Promise<Response>
  /** Retries after a refusal, once the disk works again: the file must be complete in the end. */
  readonly goOn: () => Promise<void>
  /** The URL of the upload, if it exists before. */
  readonly url?: string
}

/** Prepares a situation for a client of the program at `base`. */
export type Operation = (base: string) => Promise<Situation>

const SIZE = 600_000
const HALF = SIZE / 2
const SMALL = 50_000
const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

let made = 0
/** Unique bytes, and a unique task, for each situation, so none is confused with another. */
function fresh(length: number): Buffer<ArrayBuffer> {
  made += 1
  return bytesOf(length, made % 256)
}

const taskOf = (): string => `wu_task_of_situation_${made}`

export async function expectDownload(url: string, content: Buffer): Promise<void> {
  const response = await fetch(url)
  expect([response.status, Buffer.from(await response.arrayBuffer()).equals(content)]).toEqual([200, true])
}

/** Requests the offset, sends the missing bytes, and checks the file. */
export async function sendRest(url: string, content: Buffer<ArrayBuffer>): Promise<void> {
  const offset = await offsetOf(url)
  if (offset < content.length) expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
  await expectDownload(url, content)
}

function patchWithChecksum(url: string, offset: number, bytes: Buffer<ArrayBuffer>): Promise<Response> {
  const sum = createHash('sha1').update(bytes).digest('base64')
  return patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': String(offset), 'Upload-Checksum': `sha1 ${sum}` }, bytes)
}

async function createWith(base: string, content: Buffer<ArrayBuffer>): Promise<Situation> {
  const ask = () => create(base, { 'Upload-Length': String(content.length), ...TYPE }, content)
  return {
    ask,
    goOn: async () => {
      const created = await ask()
      expect(created.status).toBe(201)
      await expectDownload(locationOf(created, base), content)
    },
  }
}

/** An upload with some of its bytes. */
async function begun(base: string, bytes: number): Promise<{ url: string; content: Buffer<ArrayBuffer> }> {
  const content = fresh(SIZE)
  const url = await createUpload(base, SIZE)
  if (bytes > 0) expect((await patch(url, 0, content.subarray(0, bytes))).status).toBe(204)
  return { url, content }
}

async function finished(base: string): Promise<{ url: string; content: Buffer<ArrayBuffer> }> {
  const { url, content } = await begun(base, SIZE)
  return { url, content }
}

/** A WebUploader file with some of its chunks. */
async function landed(base: string, chunks: readonly number[]) {
  const content = fresh(SIZE)
  const file = cut(content, SIZE / 4, { task_id: taskOf() })
  let url: string | undefined
  for (const chunk of chunks) url = new URL((await land(base, file, chunk)).url, base).href
  const send = (chunk: number) => sendChunk(base, file.fields(chunk), file.bytes(chunk))
  return { content, file, send, ...(url === undefined ? {} : { url }) }
}

/** Sends the next chunk, then the missing ones. */
async function nextChunk(base: string, before: readonly number[], next: number): Promise<Situation> {
  const { content, file, send, url } = await landed(base, before)
  return {
    ask: () => send(next),
    goOn: async () => {
      const missing = [...Array(file.count).keys()].filter((chunk) => !before.includes(chunk))
      let last: Awaited<ReturnType<typeof land>> | undefined
      for (const chunk of missing) last = await land(base, file, chunk)
      expect(last?.finished).toBe(true)
      await expectDownload(new URL(last?.url ?? '', base).href, content)
    },
    ...(url === undefined ? {} : { url }),
  }
}

export const OPERATIONS = {
  'the creation of an upload': async (base) => {
    const content = fresh(SIZE)
    const ask = () => create(base, { 'Upload-Length': String(SIZE) })
    return {
      ask,
      goOn: async () => {
        const created = await ask()
        expect(created.status).toBe(201)
        await sendRest(locationOf(created, base), content)
      },
    }
  },
  'a file that comes with its creation': (base) => createWith(base, fresh(SIZE)),
  'a small file that comes with its creation': (base) => createWith(base, fresh(SMALL)),
  'bytes in the middle': async (base) => {
    const { url, content } = await begun(base, 100_000)
    const ask = () => patch(url, 100_000, content.subarray(100_000, HALF))
    return { url, ask, goOn: () => sendRest(url, content) }
  },
  'the first bytes with a checksum': async (base) => {
    const { url, content } = await begun(base, 100_000)
    const ask = () => patchWithChecksum(url, 100_000, content.subarray(100_000, HALF))
    const goOn = async (): Promise<void> => {
      expect(await offsetOf(url)).toBe(100_000)
      expect((await ask()).status).toBe(204)
      await sendRest(url, content)
    }
    return { url, ask, goOn }
  },
  'more bytes with a checksum': async (base) => {
    const { url, content } = await begun(base, 0)
    expect((await patchWithChecksum(url, 0, content.subarray(0, 100_000))).status).toBe(204)
    const ask = () => patchWithChecksum(url, 100_000, content.subarray(100_000, HALF))
    const goOn = async (): Promise<void> => {
      expect(await offsetOf(url)).toBe(100_000)
      expect((await ask()).status).toBe(204)
      await sendRest(url, content)
    }
    return { url, ask, goOn }
  },
  'the last bytes': async (base) => {
    const { url, content } = await begun(base, HALF)
    return { url, ask: () => patch(url, HALF, content.subarray(HALF)), goOn: () => sendRest(url, content) }
  },
  'the length, said later': async (base) => {
    const content = fresh(SIZE)
    const url = locationOf(await create(base, { 'Upload-Defer-Length': '1' }), base)
    expect((await patch(url, 0, content.subarray(0, HALF))).status).toBe(204)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': String(HALF), 'Upload-Length': String(SIZE) }
    const ask = () => patchWith(url, headers, content.subarray(HALF))
    const goOn = async (): Promise<void> => {
      expect(await offsetOf(url)).toBe(HALF)
      expect((await ask()).status).toBe(204)
      await expectDownload(url, content)
    }
    return { url, ask, goOn }
  },
  'the first chunk': (base) => nextChunk(base, [], 0),
  'a chunk': (base) => nextChunk(base, [0], 2),
  'the last chunk': (base) => nextChunk(base, [0, 3, 2], 1),
  'a file of one chunk': async (base) => {
    const content = fresh(SIZE)
    const file = cut(content, SIZE, { task_id: taskOf() })
    return {
      ask: () => sendChunk(base, file.fields(0), content),
      goOn: async () => expectDownload(new URL((await land(base, file, 0)).url, base).href, content),
    }
  },
  'the question whether all chunks are there': async (base) => {
    const { content, file, url } = await landed(base, [0, 1, 2, 3])
    // The service remembers that a file with this name is finished.
    const query = { task_id: String(file.fields(0).task_id) }
    const ask = () => complete(base, query)
    return {
      ask,
      goOn: async () => {
        expect((await ask()).status).toBe(200)
        await expectDownload(url ?? '', content)
      },
    }
  },
  'a final upload': async (base) => {
    const contents = [fresh(SIZE), fresh(SMALL), fresh(SIZE)]
    const urls: string[] = []
    for (const content of contents) {
      const said = { 'Upload-Length': String(content.length), 'Upload-Concat': 'partial', ...TYPE }
      urls.push(locationOf(await create(base, said, content), base))
    }
    const ask = () => create(base, { 'Upload-Concat': `final;${urls.join(' ')}` })
    return {
      ask,
      goOn: async () => {
        const created = await ask()
        expect(created.status).toBe(201)
        await expectDownload(locationOf(created, base), Buffer.concat(contents))
      },
      url: urls[0] ?? '',
    }
  },
  'the removal of an unfinished upload': async (base) => removal((await begun(base, HALF)).url),
  'the removal of a file': async (base) => removal((await finished(base)).url),
  'a download': async (base) => {
    const { url, content } = await finished(base)
    return { url, ask: () => fetch(url), goOn: () => expectDownload(url, content) }
  },
} satisfies Readonly<Record<string, Operation>>
export type OperationName = keyof typeof OPERATIONS

function removal(url: string): Situation {
  const ask = () => fetch(url, { method: 'DELETE', headers: TUS })
  return {
    ask,
    goOn: async () => {
      expect([204, 410]).toContain((await ask()).status)
      expect((await head(url)).status).toBe(404)
    },
    url,
  }
}
