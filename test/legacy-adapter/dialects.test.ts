/** The dialects of other upload libraries, by their requests. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { makeScanner } from '../e2e/support/scanner.ts'
import { bytesOf, inverted } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startService, type TestService } from '../support/service.ts'
import { startStub } from '../support/stub-server.ts'
import { patch as patchTus } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const CHUNK = 1000
const NAMES = [
  'blueimp,dropzone,filepond,fine-uploader,flow,huge-uploader,plupload,resumable,simple-uploader,upchunk,uploady',
  'vue-simple-uploader,webuploader-md5-a,webuploader-md5-b,webuploader-md5-c,webuploader-md5-d',
].join(',')

let service: TestService
beforeAll(async () => {
  service = await startService({ DIALECTS: NAMES })
})
afterAll(() => service.close())

type Fields = Readonly<Record<string, string | number>>

const stored = z.object({
  success: z.boolean(),
  id: z.string().optional(),
  url: z.string().optional(),
  finished: z.boolean().optional(),
  code: z.union([z.string(), z.number()]).optional(),
})

/** Sends a form with a file. @param place a path, or a URL of another service. @param headers of the visitor. */
async function send(
  place: string,
  fields: Fields,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
  name = 'a.bin',
): Promise<{ status: number; body: z.infer<typeof stored> }> {
  const form = new FormData()
  for (const [field, value] of Object.entries(fields)) form.set(field, String(value))
  form.set('file', new File([bytes], name))
  const response = await fetch(new URL(place, service.url), { method: 'POST', body: form, headers })
  return { status: response.status, body: stored.parse(await response.json()) }
}

/** The fields of a chunk of Flow.js. @param number from 1. */
function flowFields(name: string, size: number, number: number, chunkSize = CHUNK): Fields {
  const total = Math.max(1, Math.floor(size / chunkSize))
  return {
    flowChunkNumber: number,
    flowChunkSize: chunkSize,
    flowCurrentChunkSize: number < total ? chunkSize : size - (total - 1) * chunkSize,
    flowTotalSize: size,
    flowIdentifier: `${size}-bin`,
    flowFilename: name,
    flowRelativePath: name,
    flowTotalChunks: total,
  }
}

const partOf = (content: Buffer<ArrayBuffer>, number: number): Buffer<ArrayBuffer> => {
  const total = Math.max(1, Math.floor(content.length / CHUNK))
  return content.subarray((number - 1) * CHUNK, number < total ? number * CHUNK : undefined)
}

const sendFlow = (name: string, content: Buffer<ArrayBuffer>, number: number, headers = {}) =>
  send('/upload/flow', flowFields(name, content.length, number), partOf(content, number), headers, name)

const testFlow = async (name: string, size: number, number: number, headers = {}): Promise<number> => {
  const query = new URLSearchParams(Object.entries(flowFields(name, size, number)).map(([k, v]) => [k, `${v}`]))
  return (await fetch(`${service.url}/upload/flow?${query}`, { headers })).status
}

const download = async (url: string | undefined): Promise<Buffer> =>
  Buffer.from(await (await fetch(new URL(url ?? '', service.url))).arrayBuffer())

/** The cookie of a new visitor. */
async function visitor(): Promise<Readonly<Record<string, string>>> {
  const response = await fetch(`${service.url}/check`, { method: 'POST' })
  return { Cookie: (response.headers.get('Set-Cookie') ?? '').split(';')[0] ?? '' }
}

describe('A dialect by index', () => {
  it('takes chunks in any order, of which the last has almost two lengths', async () => {
    const content = bytesOf(3 * CHUNK + 999, 1)
    for (const number of [3, 1]) expect(await sendFlow('order.bin', content, number)).toMatchObject({ status: 200 })
    const last = await sendFlow('order.bin', content, 2)
    expect(last.body).toMatchObject({ success: true, finished: true })
    expect((await download(last.body.url)).equals(content)).toBe(true)
  })

  it('takes a chunk again when the file is finished', async () => {
    const content = bytesOf(2 * CHUNK, 2)
    for (const number of [1, 2, 2, 1]) {
      expect(await sendFlow('again.bin', content, number)).toMatchObject({ status: 200, body: { success: true } })
    }
  })

  it('stores another file of one name and one size at once, without a retry', async () => {
    const first = bytesOf(3 * CHUNK, 20)
    const second = Buffer.from(first)
    second.fill(0, 900, 2900)
    for (const number of [1, 2, 3]) await sendFlow('edited.bin', first, number)
    // Chunk 2 is a little ahead of chunk 1, which shows that the file is another one.
    const answers = await Promise.all([2, 1].map((number) => sendFlow('edited.bin', second, number)))
    answers.push(await sendFlow('edited.bin', second, 3))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await download(answers[2]?.body.url)).equals(second)).toBe(true)
    const again = await sendFlow('edited.bin', second, 1)
    expect(again.body.url).toBe(answers[2]?.body.url)
  })

  it('refuses fields that contradict each other, with the status that the library does not retry', async () => {
    const fields = flowFields('wrong.bin', 3000, 1)
    const wrong: readonly Fields[] = [
      { flowChunkNumber: 0 },
      { flowChunkNumber: 4 },
      { flowTotalChunks: 1_000_000_000 },
      { flowTotalChunks: 2 ** 53 },
      { flowCurrentChunkSize: 999 },
      { flowTotalSize: 9000 },
      { flowChunkSize: 0 },
      { flowChunkSize: '1e3' },
    ]
    for (const change of wrong) {
      const { status, body } = await send('/upload/flow', { ...fields, ...change }, bytesOf(CHUNK))
      expect([change, status, body.success, body.code]).toEqual([change, 415, false, 'bad_field'])
    }
    const short = await send('/upload/flow', fields, bytesOf(CHUNK - 1))
    expect([short.status, short.body.code]).toEqual([415, 'wrong_length'])
  })

  it('keeps names apart that the identifier of the library drops', async () => {
    const contents = [bytesOf(1500, 3), bytesOf(1500, 4)]
    const names = ['测试.bin', '文件.bin']
    for (const [index, content] of contents.entries()) {
      const { body } = await sendFlow(names[index] ?? '', content, 1)
      expect((await download(body.url)).equals(content)).toBe(true)
    }
  })

  it('keeps visitors apart that send the same fields', async () => {
    const contents = [bytesOf(2 * CHUNK, 5), bytesOf(2 * CHUNK, 6)]
    const visitors = [await visitor(), await visitor()]
    for (const number of [1, 2]) {
      for (const [index, content] of contents.entries()) await sendFlow('same.bin', content, number, visitors[index])
    }
    for (const [index, content] of contents.entries()) {
      const { body } = await sendFlow('same.bin', content, 2, visitors[index])
      expect((await download(body.url)).equals(content)).toBe(true)
    }
  })
})

describe('The test of a dialect', () => {
  it('lets a page skip stored chunks, but never the first one', async () => {
    const content = bytesOf(4 * CHUNK, 7)
    for (const number of [1, 3]) await sendFlow('skip.bin', content, number)
    const answers: number[] = []
    for (const number of [1, 2, 3, 4]) answers.push(await testFlow('skip.bin', content.length, number))
    expect(answers).toEqual([204, 204, 200, 204])
  })

  it('lets no page skip chunks of a finished file, or of a file without its first chunk', async () => {
    const content = bytesOf(2 * CHUNK, 8)
    await sendFlow('without.bin', content, 2)
    expect(await testFlow('without.bin', content.length, 2)).toBe(204)
    await sendFlow('without.bin', content, 1)
    expect(await testFlow('without.bin', content.length, 2)).toBe(204)
  })

  it('says nothing to another visitor, and nothing about chunks of another length', async () => {
    const content = bytesOf(4 * CHUNK, 9)
    const owner = await visitor()
    for (const number of [1, 3]) await sendFlow('mine.bin', content, number, owner)
    expect(await testFlow('mine.bin', content.length, 3, owner)).toBe(200)
    expect(await testFlow('mine.bin', content.length, 3, await visitor())).toBe(204)
    expect(await testFlow('mine.bin', content.length, 3)).toBe(204)
    const fields = Object.entries(flowFields('mine.bin', content.length, 3, 500)).map(([k, v]) => [k, `${v}`])
    const other = await fetch(`${service.url}/upload/flow?${new URLSearchParams(fields)}`, { headers: owner })
    expect(other.status).toBe(204)
  })

  it('finds out a page that skips chunks of another file, and lets it send all of them then', async () => {
    const [first, second] = [bytesOf(3 * CHUNK, 10), inverted(bytesOf(3 * CHUNK, 10))]
    if (first === undefined || second === undefined) throw new Error('no contents')
    const headers = await visitor()
    const other = Buffer.from(second)
    for (const number of [1, 2]) await sendFlow('two.bin', first, number, headers)
    expect(await testFlow('two.bin', 3 * CHUNK, 1, headers)).toBe(204)
    expect(await testFlow('two.bin', 3 * CHUNK, 2, headers)).toBe(200)
    // The page has already skipped chunk 2.
    expect(await sendFlow('two.bin', other, 1, headers)).toMatchObject({
      status: 415,
      body: { code: 'wrongly_skipped' },
    })
    expect(await testFlow('two.bin', 3 * CHUNK, 1, headers)).toBe(204)
    expect(await testFlow('two.bin', 3 * CHUNK, 2, headers)).toBe(204)
    let url: string | undefined
    for (const number of [1, 2, 3]) {
      const { status, body } = await sendFlow('two.bin', other, number, headers)
      expect(status).toBe(200)
      url = body.url
    }
    expect((await download(url)).equals(other)).toBe(true)
  })
})

describe('The list of a dialect', () => {
  const COUNT = 60_000
  const bytes = bytesOf(COUNT, 21)
  const numbers = z.array(z.coerce.number())

  /** Stores chunk 0, of one byte, and all others but the last one. */
  const fillUp = async (place: string, fields: Fields): Promise<void> => {
    const { body } = await send(place, fields, bytes.subarray(0, 1))
    const url = new URL(`/files/${body.id}`, service.url).href
    expect((await patchTus(url, 1, bytes.subarray(1, -1))).status).toBe(204)
  }

  /** The list has the first chunks after chunk 0, fewer than all of them. */
  const expectCut = (list: readonly number[], first: number): void => {
    expect(JSON.stringify(list.map(String)).length).toBeLessThan(256 * 1024)
    expect(list.length).toBeGreaterThan(20_000)
    expect(list.length).toBeLessThan(COUNT - 2)
    expect(list.every((number, index) => number === first + index)).toBe(true)
  }

  it('has no more chunks than fit into 256 KiB, for a file', async () => {
    const fields = {
      ...{ chunkNumber: 1, chunkSize: 1, currentChunkSize: 1, totalSize: COUNT, totalChunks: COUNT },
      ...{ identifier: 'many', filename: 'many.bin', relativePath: 'many.bin' },
    }
    await fillUp('/upload/vue-simple-uploader', fields)
    const query = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]))
    const response = await fetch(`${service.url}/upload/vue-simple-uploader?${query}`)
    expectCut(z.object({ uploaded: numbers }).parse(await response.json()).uploaded, 2)
  })

  it('has no more chunks than fit into 256 KiB, for a task', async () => {
    const file = { id: 'WU_FILE_0', name: 'many.bin', type: '', lastModifiedDate: '', size: COUNT }
    await fillUp('/upload/webuploader-md5-d/uploadFileByMd5.action', { ...file, md5: 'm21', chunks: COUNT, chunk: 0 })
    const ask = async (): Promise<readonly number[]> => {
      const body = new URLSearchParams({ md5: 'm21' })
      const response = await fetch(`${service.url}/upload/webuploader-md5-d/checkMD5.action`, { method: 'POST', body })
      return z.object({ chunkFileNames: numbers }).parse(await response.json()).chunkFileNames
    }
    // Only once no request has come for a while.
    await until(async () => (await ask()).length > 0)
    expectCut(await ask(), 1)
  })
})

/** Clients of one address, without a cookie, that send the same fields. */
describe('A stranger of the same address', () => {
  const SHORT = 30
  const answer = z.string().transform((text): unknown => JSON.parse(text))

  /** Sends a range of a file. @returns the response as text. */
  const sendRange = async (place: string, name: string, content: Buffer<ArrayBuffer>, start: number, end: number) => {
    const form = new FormData()
    form.set('file', new File([content.subarray(start, end)], name))
    const headers = { 'Content-Range': `bytes ${start}-${end - 1}/${content.length}` }
    const response = await fetch(`${service.url}/upload/${place}`, { method: 'POST', body: form, headers })
    expect([start, end, response.status]).toEqual([start, end, 200])
    return response.text()
  }

  const urlIn = (text: string): string | undefined => {
    const named = z.object({ url: z.string().optional() })
    return z
      .union([z.object({ files: z.tuple([named]) }).transform(({ files }) => files[0]), named])
      .parse(answer.parse(text)).url
  }

  const expectSecret = (text: string): void => {
    expect(text).not.toMatch(/"(id|url)":/)
    expect(text).toMatch(/"finished":/)
  }

  it.each(['blueimp', 'uploady'])('does not learn the URL of a file by some of its bytes, with %s', async (place) => {
    const content = bytesOf(2 * CHUNK + SHORT, 30)
    const name = `${place}.bin`
    await sendRange(place, name, content, 0, CHUNK)
    expectSecret(await sendRange(place, name, content, content.length - 1, content.length))
    await sendRange(place, name, content, CHUNK, 2 * CHUNK)
    const url = urlIn(await sendRange(place, name, content, 2 * CHUNK, content.length))
    expect((await download(url)).equals(content)).toBe(true)
    for (const [start, end] of [
      [0, 1],
      [500, CHUNK],
      [content.length - 1, content.length],
    ] as const) {
      expectSecret(await sendRange(place, name, content, start, end))
    }
    // Who has a chunk as long as the others has the file.
    expect(urlIn(await sendRange(place, name, content, CHUNK, 2 * CHUNK))).toBe(url)
  })

  it('does not learn the URL of an upload that it has begun with one byte', async () => {
    const content = bytesOf(2 * CHUNK, 31)
    expectSecret(await sendRange('uploady', 'planted.bin', content, 0, 1))
    await sendRange('uploady', 'planted.bin', content, 0, CHUNK)
    expectSecret(await sendRange('uploady', 'planted.bin', content, 0, 1))
    const url = urlIn(await sendRange('uploady', 'planted.bin', content, CHUNK, content.length))
    expect((await download(url)).equals(content)).toBe(true)
    expectSecret(await sendRange('uploady', 'planted.bin', content, 0, 1))
  })

  it('does not learn the URL of a file by a last chunk that is shorter than the others', async () => {
    const content = bytesOf(2 * CHUNK + 1, 32)
    const chunk = async (number: number): Promise<string> => {
      const bytes = content.subarray(number * CHUNK, (number + 1) * CHUNK)
      const body = formOf({ name: 'last.bin', chunk: number, chunks: 3 }, bytes)
      return (await fetch(`${service.url}/upload/plupload`, { method: 'POST', body })).text()
    }
    for (const number of [0, 1]) await chunk(number)
    const url = urlIn(await chunk(2))
    expectSecret(await chunk(2))
    expect(urlIn(await chunk(0))).toBe(url)
  })
})

describe('A stranger', () => {
  it('reaches nothing of a visitor by the same fields', async () => {
    const owner = await visitor()
    const content = bytesOf(2 * CHUNK, 11)
    await sendFlow('secret.bin', content, 1, owner)
    const { body } = await sendFlow('secret.bin', Buffer.from(inverted(content)), 2, await visitor())
    expect(body).toMatchObject({ success: true, finished: false })
    const done = await sendFlow('secret.bin', content, 2, owner)
    expect((await download(done.body.url)).equals(content)).toBe(true)
  })

  it('plants nothing from a page of another site', async () => {
    for (const place of ['flow', 'dropzone', 'filepond', 'fine-uploader/done', 'webuploader-md5-a']) {
      const response = await fetch(`${service.url}/upload/${place}`, {
        method: 'POST',
        headers: { Origin: 'https://evil.example', 'Content-Type': 'text/plain' },
        body: 'x',
      })
      expect([place, response.status]).toEqual([place, 403])
    }
  })

  it('deletes no file of another visitor by its uuid', async () => {
    const owner = await visitor()
    const content = bytesOf(10, 12)
    const fields = { qquuid: crypto.randomUUID(), qqfilename: 'kept.bin', qqtotalfilesize: 10 }
    const { body } = await send('/upload/fine-uploader', fields, content, owner)
    const remove = (headers: Readonly<Record<string, string>>) =>
      fetch(`${service.url}/upload/fine-uploader/${fields.qquuid}`, { method: 'DELETE', headers })
    expect((await remove(await visitor())).status).toBe(200)
    expect((await download(body.url)).equals(content)).toBe(true)
    expect((await remove(owner)).status).toBe(200)
    expect((await fetch(new URL(body.url ?? '', service.url))).status).toBe(410)
  })
})

describe('Fine Uploader', () => {
  const SIZE = 3 * CHUNK

  interface Sent {
    readonly uuid: string
    readonly content: Buffer<ArrayBuffer>
    readonly digest?: string
  }

  /** Sends a part. @param resumes whether the page continues from its memory. */
  async function part({ uuid, content, digest }: Sent, index: number, resumes = false): Promise<unknown> {
    const fields = {
      qqpartindex: index,
      qqpartbyteoffset: index * CHUNK,
      qqchunksize: CHUNK,
      qqtotalparts: 3,
      qqtotalfilesize: SIZE,
      qqfilename: 'remembered.bin',
      qquuid: uuid,
      ...(resumes && { qqresume: 'true' }),
      ...(digest !== undefined && { digest }),
    }
    const form = formOf(fields, content.subarray(index * CHUNK, (index + 1) * CHUNK))
    const response = await fetch(`${service.url}/upload/fine-uploader`, { method: 'POST', body: form })
    expect(response.status).toBe(200)
    return response.json()
  }

  /** Says that all parts were sent. */
  async function done({ uuid, digest }: Omit<Sent, 'content'>): Promise<unknown> {
    const body = new URLSearchParams({ qquuid: uuid, qqfilename: 'remembered.bin', qqtotalfilesize: String(SIZE) })
    if (digest !== undefined) body.set('digest', digest)
    return (await fetch(`${service.url}/upload/fine-uploader/done`, { method: 'POST', body })).json()
  }

  const urlOf = (answer: unknown): string => z.object({ url: z.string() }).parse(answer).url
  const RESET = { success: false, reset: true }

  it('begins again if nothing is left of an upload that it continues', async () => {
    const sent = { uuid: crypto.randomUUID(), content: bytesOf(SIZE), digest: 'd' }
    expect(await part(sent, 1, true)).toMatchObject(RESET)
  })

  it('continues a file whose content the page identifies, without its first part', async () => {
    const sent = { uuid: crypto.randomUUID(), content: bytesOf(SIZE, 40), digest: 'd40' }
    await part(sent, 0)
    await part(sent, 2, true)
    await part(sent, 1)
    expect((await download(urlOf(await done(sent)))).equals(sent.content)).toBe(true)
  })

  it.each([
    ['without a digest', undefined, undefined],
    ['with another digest', 'd41', 'd42'],
  ] as const)('never mixes two files of one name and one size: %s', async (_, first, second) => {
    const uuid = crypto.randomUUID()
    await part({ uuid, content: bytesOf(SIZE, 41), ...(first !== undefined && { digest: first }) }, 0)
    const sent = { uuid, content: bytesOf(SIZE, 42), ...(second !== undefined && { digest: second }) }
    expect(await part(sent, 1, true)).toMatchObject(RESET)
    // From the last part, as the library does with several connections.
    for (const index of [2, 1, 0]) expect(await part(sent, index)).toMatchObject({ success: true })
    expect((await download(urlOf(await done(sent)))).equals(sent.content)).toBe(true)
  })

  it('confirms no file of another digest to a page that takes its own for sent', async () => {
    const sent = { uuid: crypto.randomUUID(), content: bytesOf(SIZE, 43), digest: 'd43' }
    for (const index of [0, 1, 2]) await part(sent, index)
    expect(await done({ uuid: sent.uuid, digest: 'd44' })).toMatchObject(RESET)
    expect(await done(sent)).toMatchObject({ success: true })
  })
})

describe('A dialect without a size', () => {
  it('takes chunks one after the other, and refuses one that has none before it', async () => {
    const content = bytesOf(2 * CHUNK + 5, 13)
    const chunk = (number: number, name: string) =>
      fetch(`${service.url}/upload/plupload`, {
        method: 'POST',
        body: formOf({ name, chunk: number, chunks: 3 }, content.subarray(number * CHUNK, (number + 1) * CHUNK)),
      })
    expect((await chunk(1, 'gap.bin')).status).toBe(503)
    for (const number of [0, 1, 1]) expect((await chunk(number, 'three.bin')).status).toBe(200)
    const answer: unknown = await (await chunk(2, 'three.bin')).json()
    const { url, finished } = z.object({ url: z.string(), finished: z.boolean() }).parse(answer)
    expect(finished).toBe(true)
    expect((await download(url)).equals(content)).toBe(true)
  })
})

function formOf(fields: Fields, bytes: Uint8Array<ArrayBuffer>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
  form.set('file', new File([bytes], 'blob'))
  return form
}

/** The id of a new FilePond item. @param at the URL of the service. */
async function create(length: number, at = service.url): Promise<string> {
  const body = new FormData()
  body.set('filepond', '{}')
  const headers = { 'Upload-Length': String(length) }
  const response = await fetch(`${at}/upload/filepond`, { method: 'POST', headers, body })
  expect(response.status).toBe(200)
  return response.text()
}

const patch = (id: string, offset: number, length: number, body: Uint8Array<ArrayBuffer>, at = service.url) =>
  fetch(`${at}/upload/filepond?patch=${id}`, {
    method: 'PATCH',
    headers: {
      'Upload-Name': Buffer.from('测试.bin').toString('latin1'),
      'Upload-Offset': String(offset),
      'Upload-Length': String(length),
      'Content-Type': 'application/offset+octet-stream',
    },
    body,
  })

const headOf = (id: string, at = service.url) => fetch(`${at}/upload/filepond?patch=${id}`, { method: 'HEAD' })

const offsetOf = async (id: string): Promise<string | null> => (await headOf(id)).headers.get('Upload-Offset')

describe('FilePond', () => {
  it('uploads at offsets, and asks for the beginning of a chunk', async () => {
    const content = bytesOf(2 * CHUNK, 14)
    const id = await create(content.length)
    expect(await offsetOf(id)).toBe('0')
    expect((await patch(id, 0, 2 * CHUNK, content.subarray(0, CHUNK))).status).toBe(204)
    expect((await patch(id, CHUNK, 2 * CHUNK, content.subarray(CHUNK, CHUNK + 500))).status).toBe(204)
    expect(await offsetOf(id)).toBe('1000')
    expect((await patch(id, CHUNK, 2 * CHUNK, content.subarray(CHUNK))).status).toBe(204)
    // The page sends an empty chunk after a file of whole chunks.
    expect((await patch(id, 2 * CHUNK, 2 * CHUNK, Buffer.alloc(0))).status).toBe(204)
    const response = await fetch(`${service.url}/files/${id}`)
    expect(response.headers.get('Content-Disposition')).toContain(encodeURIComponent('测试.bin'))
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
    expect((await fetch(`${service.url}/upload/filepond`, { method: 'DELETE', body: id })).status).toBe(204)
    expect((await fetch(`${service.url}/files/${id}`)).status).toBe(410)
  })

  it('takes no id that the service did not make', async () => {
    const id = 'a'.repeat(32)
    expect((await patch(id, 0, 10, bytesOf(10))).status).toBe(400)
    expect((await fetch(`${service.url}/upload/filepond`, { method: 'DELETE', body: id })).status).toBe(400)
    expect(await readdir(path.join(service.dataDir, 'files'))).not.toContain(id)
  })
})

describe('FilePond before an application that chooses ids', () => {
  it('reverts a whole file', async () => {
    const hooks = await startStub((_, response) => {
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify({ ChangeFileInfo: { ID: 'chosen-by-the-application' } }))
    })
    const { url: at, close } = await startService({
      DIALECTS: 'filepond',
      HOOKS_URL: hooks.url,
      HOOKS_EVENTS: 'pre-create',
    })
    try {
      const body = new FormData()
      body.append('filepond', '{}')
      body.append('filepond', new Blob(['hello']), 'hello.txt')
      const id = await (await fetch(`${at}/upload/filepond`, { method: 'POST', body })).text()
      expect(await (await fetch(`${at}/files/${id}`)).text()).toBe('hello')
      const revert = () => fetch(`${at}/upload/filepond`, { method: 'DELETE', body: id })
      expect((await revert()).status).toBe(204)
      expect((await fetch(`${at}/files/${id}`)).status).toBe(410)
    } finally {
      await close()
      await hooks.close()
    }
  })
})

describe('A dialect before a scanner', () => {
  it('reports a file as stored only after the scan, and never if it is rejected', async () => {
    const folder = await temporaryFolder()
    const scanner = await makeScanner(folder.path)
    const { url: at, close } = await startService({
      DIALECTS: 'dropzone,filepond,flow',
      SCAN_CMD: scanner.command,
      SCAN_CONCURRENCY: '8',
    })
    const contentOf = (word: string) => Buffer.from(word.padEnd(CHUNK, '.'))
    const flow = (word: string) =>
      send(`${at}/upload/flow`, flowFields(`${word}.bin`, CHUNK, 1), contentOf(word), {}, `${word}.bin`)
    const pond = async (word: string) => {
      const id = await create(CHUNK, at)
      return { patch: () => patch(id, 0, CHUNK, contentOf(word), at), head: () => headOf(id, at) }
    }
    try {
      const held = await pond('HOLD-pond')
      const isWhole = send(`${at}/upload/dropzone`, {}, contentOf('HOLD-whole'))
      const early = await Promise.all([held.patch(), flow('HOLD-flow')])
      expect(early.map(({ status }) => status)).toEqual([503, 503])
      expect((await held.head()).status).toBe(503)
      for (const name of ['pond', 'flow', 'whole']) await scanner.release(name)
      expect((await isWhole).body).toMatchObject({ success: true, finished: true })
      await until(async () => (await held.patch()).status === 204)
      expect((await held.head()).headers.get('Upload-Offset')).toBe(String(CHUNK))
      await until(async () => (await flow('HOLD-flow')).body.finished === true)

      const rejected = await pond('REJECT-ME')
      for (const _ of [1, 2]) expect((await rejected.patch()).status).toBe(400)
      expect((await rejected.head()).status).toBe(400)
      for (const _ of [1, 2]) expect(await flow('REJECT-ME')).toMatchObject({ status: 415, body: { code: 'rejected' } })
    } finally {
      await close()
      await folder.dispose()
    }
  })
})

describe('A dialect on a node', () => {
  it('gives each upload an id of its node, and continues those of before', async () => {
    const before = await startService({ DIALECTS: 'dropzone,filepond' })
    const content = bytesOf(2 * CHUNK, 22)
    const old = await create(content.length, before.url)
    expect((await patch(old, 0, content.length, content.subarray(0, CHUNK), before.url)).status).toBe(204)
    const { url, close } = await before.restart({ NODE: 'b' })
    try {
      const ids = [old, await create(content.length, url)]
      expect(ids[1]).toMatch(/^b-[0-9a-f]{30}$/)
      for (const id of ids) {
        for (const offset of [0, CHUNK]) {
          const chunk = content.subarray(offset, offset + CHUNK)
          expect((await patch(id, offset, content.length, chunk, url)).status).toBe(204)
        }
        expect((await headOf(id, url)).headers.get('Upload-Offset')).toBe(String(content.length))
        const file = await (await fetch(`${url}/files/${id}`)).arrayBuffer()
        expect(Buffer.from(file).equals(content)).toBe(true)
      }
      for (const id of [`b-${'0'.repeat(30)}`, `${ids[1]}00`, ids[1]?.slice(2) ?? '']) {
        expect((await patch(id, 0, 1, content.subarray(0, 1), url)).status).toBe(400)
      }
      expect((await send(`${url}/upload/dropzone`, {}, content)).body.id).toMatch(/^b-/)
      const form = new FormData()
      form.set('filepond', new File([content], 'whole.bin'))
      const whole = await fetch(`${url}/upload/filepond`, { method: 'POST', body: form })
      expect(await whole.text()).toMatch(/^b-[0-9a-f]{30}$/)
    } finally {
      await close()
    }
  })
})

describe('An md5 page of WebUploader', () => {
  const ask = async (place: string, fields: Fields): Promise<unknown> => {
    const body = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]))
    return (await fetch(`${service.url}/upload/${place}`, { method: 'POST', body })).json()
  }
  const chunk = (fileMd5: string, name: string, content: Buffer<ArrayBuffer>, number: number, id = 'WU_FILE_0') =>
    send(
      '/upload/webuploader-md5-a',
      { fileMd5, id, name, type: '', lastModifiedDate: '', size: content.length, chunks: 3, chunk: number },
      content.subarray(number * CHUNK, (number + 1) * CHUNK),
    )

  it('skips a chunk of the only unfinished file with this md5, if it has this length', async () => {
    const content = bytesOf(3 * CHUNK, 15)
    for (const number of [0, 1]) expect((await chunk('m15', 'a.bin', content, number)).status).toBe(200)
    const has = (number: number, chunkSize: number) =>
      ask('webuploader-md5-a?action=checkChunk', { fileMd5: 'm15', chunk: number, chunkSize })
    // Only once no request has come for a while: another page would not be let in before.
    expect(await has(1, CHUNK)).toEqual({ ifExist: false })
    await until(async () => JSON.stringify(await has(1, CHUNK)) === '{"ifExist":true}')
    expect(await has(1, CHUNK - 1)).toEqual({ ifExist: false })
    expect(await has(0, CHUNK)).toEqual({ ifExist: false })
    expect(await has(2, CHUNK)).toEqual({ ifExist: false })
    // Another recording with the same head.
    await chunk('m15', 'b.bin', content, 0)
    expect(await has(1, CHUNK)).toEqual({ ifExist: false })
  })

  it('merges nothing, and says so only of a finished file', async () => {
    const content = bytesOf(3 * CHUNK, 16)
    for (const number of [0, 2]) await chunk('m16', 'm.bin', content, number)
    const merge = () => ask('webuploader-md5-a?action=mergeChunks', { fileMd5: 'm16', fileName: 'm.bin' })
    expect(await merge()).toMatchObject({ success: false, missing: [1] })
    await chunk('m16', 'm.bin', content, 1)
    expect(await merge()).toMatchObject({ success: true, msg: 'm.bin' })
  })

  it('believes no md5 of a whole file', async () => {
    const content = bytesOf(3 * CHUNK, 17)
    for (const number of [0, 1, 2]) await chunk('m17', 'w.bin', content, number)
    expect(await ask('webuploader-md5-a?action=fileCheck', { fileMd5: 'm17' })).toEqual({ ifExist: false })
    expect(await ask('webuploader-md5-b', { status: 'md5Check', md5: 'm17' })).toEqual({ ifExist: false })
  })
})

describe('A dialect of its own', () => {
  it('is a file of less than 30 lines for a page that nobody knows', async () => {
    // A page whose source says: fetch(`/api/put/${guid}?part=1&of=3&bytes=2500&cut=1000&title=…`, { method: 'PUT', body })
    const text = `{
      "name": "parts",
      "path": "/api/put",
      "chunk": { "method": "PUT", "path": "/:guid", "body": "raw" },
      "fields": { "task": "path:guid", "guessable": false, "name": "query:title", "size": "query:bytes" },
      "place": {
        "by": "index", "index": "query:part", "base": 1, "count": "query:of", "chunkSize": "query:cut"
      },
      "finish": { "method": "GET", "path": "/:guid/end", "done": { "json": { "state": "done", "length": "$size" } } },
      "answer": { "stored": { "status": 201, "json": { "got": "$chunk", "all": "$finished" } } }
    }`
    expect(text.split('\n').length).toBeLessThan(30)
    const folder = await temporaryFolder()
    const file = path.join(folder.path, 'parts.json')
    const { writeFile } = await import('node:fs/promises')
    await writeFile(file, text)
    const own = await startService({ DIALECTS: file })
    try {
      const content = bytesOf(2500, 18)
      for (const part of [2, 1]) {
        const query = `part=${part}&of=2&bytes=2500&cut=1000&title=a.bin`
        const body = part === 1 ? content.subarray(0, 1000) : content.subarray(1000)
        const response = await fetch(`${own.url}/api/put/1f3a?${query}`, { method: 'PUT', body })
        expect(response.status).toBe(201)
        expect(await response.json()).toEqual({ got: part, all: part === 1 })
      }
      const end = await fetch(`${own.url}/api/put/1f3a/end`)
      expect(await end.json()).toEqual({ state: 'done', length: 2500 })
    } finally {
      await own.close()
      await folder.dispose()
    }
  })
})
