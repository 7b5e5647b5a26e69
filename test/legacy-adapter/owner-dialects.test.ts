/** Dialects that owners write for pages that send no size, or the file before its fields, or that ask for an id. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { QUIET_AFTER } from '../../legacy-adapter/which-upload.ts'
import { JWT_SECRET, tokenFor } from '../e2e/support/identities.ts'
import { writeDialects } from '../e2e/support/unknown-pages.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startService, type TestService } from '../support/service.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const CHUNK = 65_536

let folder: TemporaryFolder
let settings: Readonly<Record<string, string>>
let service: TestService
beforeAll(async () => {
  folder = await temporaryFolder()
  const files = await writeDialects(folder.path)
  settings = { DIALECTS: files.join(','), SECRET: 'a secret of thirty-two characters' }
  service = await startService(settings)
})
afterAll(async () => {
  await service.close()
  await folder.dispose()
})

const anyObject = z.record(z.string(), z.unknown())

async function answerOf(response: Response) {
  return { status: response.status, body: anyObject.parse(await response.json()) }
}

type Entry = readonly [name: string, value: string | Uint8Array<ArrayBuffer>]

/** Sends a form whose entries have this order. */
async function send(place: string, entries: readonly Entry[], headers: Readonly<Record<string, string>> = {}) {
  const form = new FormData()
  for (const [name, value] of entries) form.append(name, typeof value === 'string' ? value : new Blob([value]))
  return answerOf(await fetch(new URL(place, service.url), { method: 'POST', body: form, headers }))
}

async function ask(place: string, json: unknown, headers: Readonly<Record<string, string>> = {}) {
  const body = JSON.stringify(json)
  return answerOf(await fetch(`${service.url}/upload/${place}`, { method: 'POST', body, headers }))
}

const pieceOf = (content: Buffer<ArrayBuffer>, index: number) => content.subarray(index * CHUNK, (index + 1) * CHUNK)

/** Sends a chunk as the page `verify-merge` does. */
const sendNamed = (hash: string, index: number, bytes: Uint8Array<ArrayBuffer>, headers = {}) => {
  const fields = [['hash', `${hash}-${index}`] as const, ['filename', `${hash}.bin`] as const]
  return send('/upload/verify-merge', [['chunk', bytes], ...fields, ['fileHash', hash]], headers)
}
const merge = (hash: string, headers = {}) =>
  ask('verify-merge/merge', { size: CHUNK, fileHash: hash, filename: `${hash}.bin` }, headers)

describe('A file whose chunks say no size', () => {
  it('is whole when its shortest chunk and all before it have arrived, in any order', async () => {
    const content = bytesOf(2 * CHUNK + 100, 1)
    for (const index of [2, 0]) expect((await sendNamed('any', index, pieceOf(content, index))).status).toBe(200)
    expect(await merge('any')).toMatchObject({ status: 503, body: { code: 'incomplete', missing: [1] } })
    await sendNamed('any', 1, pieceOf(content, 1))
    expect(await merge('any')).toMatchObject({ status: 200, body: { code: 0 } })
    // A lost answer: the page sends the chunk again, and merges again.
    expect((await sendNamed('any', 2, pieceOf(content, 2))).status).toBe(200)
    expect((await merge('any')).status).toBe(200)
  })

  it('ends with its merge if all its chunks are equally long', async () => {
    const content = bytesOf(2 * CHUNK, 2)
    for (const index of [1, 0]) await sendNamed('exact', index, pieceOf(content, index))
    expect(await merge('exact')).toMatchObject({ status: 200, body: { code: 0 } })
  })

  it('is stored whole when it is sent again after its page had ended it too early', async () => {
    const content = bytesOf(2 * CHUNK + 10, 10)
    for (const index of [0, 1]) await sendNamed('early', index, pieceOf(content, index))
    expect((await merge('early')).status).toBe(200)
    const sendAll = async () => {
      const answers = []
      for (const index of [0, 1, 2]) answers.push((await sendNamed('early', index, pieceOf(content, index))).status)
      return answers
    }
    // The page must fail once: its first chunks were compared with the other file.
    expect(await sendAll()).toEqual([200, 200, 503])
    await pause(QUIET_AFTER)
    expect(await sendAll()).toEqual([200, 200, 200])
    expect((await merge('early')).status).toBe(200)
    expect((await sendNamed('early', 2, pieceOf(content, 2))).body).toEqual({ code: 0 })
  })

  it('does not end before a chunk that was begun and has not arrived', async () => {
    const content = bytesOf(3 * CHUNK, 3)
    for (const index of [0, 1]) await sendNamed('begun', index, pieceOf(content, index))
    const broken = await connect(service.url)
    const boundary = 'boundary'
    const part = (name: string, value: string): string =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const fields = `${part('hash', 'begun-2')}${part('filename', 'begun.bin')}${part('fileHash', 'begun')}`
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="chunk"; filename="blob"\r\n\r\n`
    const body = `${file}${'x'.repeat(CHUNK + 1)}\r\n${fields}--${boundary}--\r\n`
    const type = `multipart/form-data; boundary=${boundary}`
    const head = requestHead('POST', '/upload/verify-merge', { 'Content-Type': type, 'Content-Length': body.length })
    await broken.send(`${head}${body}`)
    expect((await broken.answer()).status).toBe(400)
    await broken.reset()
    expect(await merge('begun')).toMatchObject({ status: 503, body: { code: 'incomplete', missing: [2] } })
    await sendNamed('begun', 2, pieceOf(content, 2))
    expect((await merge('begun')).status).toBe(200)
  })

  it('refuses a chunk that is shorter than a later one allows', async () => {
    const content = bytesOf(3 * CHUNK, 4)
    await sendNamed('short', 2, pieceOf(content, 2))
    expect(await sendNamed('short', 1, content.subarray(0, 10))).toMatchObject({
      status: 400,
      body: { code: 'wrong_length' },
    })
  })

  it('ends only when its call has the number of chunks that it names', async () => {
    const put = (part: number) => {
      const headers = { 'X-Part': String(part), 'Content-Type': 'application/octet-stream' }
      const body = bytesOf(CHUNK, part)
      return fetch(`${service.url}/upload/until-last/count?name=c.bin`, { method: 'PUT', headers, body })
    }
    for (const part of [1, 2]) expect((await put(part)).status).toBe(200)
    expect(await ask('until-last/count/end', { parts: 3 })).toMatchObject({ status: 503, body: { missing: [2] } })
    await put(3)
    expect(await ask('until-last/count/end', { parts: 3 })).toMatchObject({ status: 200, body: { size: 3 * CHUNK } })
  })

  it('is listed by the names of its chunks, without chunk 0', async () => {
    const content = bytesOf(3 * CHUNK + 1, 5)
    for (const index of [0, 1, 3]) await sendNamed('listed', index, pieceOf(content, index))
    const verify = () => ask('verify-merge/verify', { filename: 'listed.bin', fileHash: 'listed' })
    expect((await verify()).body).toEqual({ shouldUpload: true, uploadedList: ['listed-1', 'listed-3'] })
    expect((await ask('verify-merge/verify', { filename: 'none.bin', fileHash: 'none' })).body).toEqual({
      shouldUpload: true,
      uploadedList: [],
    })
  })

  it('is listed to a page that names its hash alone, once it is quiet', async () => {
    const content = bytesOf(3 * CHUNK, 6)
    for (const index of [0, 1]) {
      const fields = [['chunkName', `${index}-a-b.bin`] as const, ['fileHash', 'alone'] as const]
      await send('/upload/chunk-name/upload', [['chunk', pieceOf(content, index)], ...fields])
    }
    const check = async () => (await ask('chunk-name/check', { fileHash: 'alone' })).body['uploadedChunks']
    await until(async () => JSON.stringify(await check()) === '[1]')
  })
})

describe('A file that precedes its fields', () => {
  it('is refused unread if it is too long to be held', async () => {
    const wire = await connect(service.url)
    const type = 'multipart/form-data; boundary=b'
    const head = { 'Content-Type': type, 'Content-Length': 65 * 1024 * 1024 }
    await wire.send(requestHead('POST', '/upload/verify-merge', head))
    await wire.send('--b\r\nContent-Disposition: form-data; name="chunk"; filename="blob"\r\n\r\n', bytesOf(1000))
    const answer = await wire.answer()
    expect([answer.status, answer.body]).toEqual([400, expect.stringContaining('more than 64 MiB')])
    await wire.reset()
  })

  it('is refused if the fields behind it are missing, twofold, or no JSON', async () => {
    const bytes = bytesOf(10)
    const refused = async (place: string, entries: readonly Entry[]) =>
      (await send(place, [['chunk', bytes], ...entries])).body['code']
    expect(await refused('/upload/verify-merge', [['filename', 'a.bin']])).toBe('missing_field')
    const twice = [...['h-0', 'h-1'].map((hash) => ['hash', hash] as const), ['fileHash', 'h'] as const]
    expect(await refused('/upload/verify-merge', twice)).toBe('duplicate_field')
    for (const metadata of ['{', '[]', '"x"', '1']) {
      expect(await refused('/upload/chunk-metadata', [['chunkMetadata', metadata]])).toBe('bad_field')
    }
    const facts = { FileGuid: 'g', FileName: 'a.bin', Index: { a: 1 }, TotalCount: 1, FileSize: 10 }
    expect(await refused('/upload/chunk-metadata', [['chunkMetadata', JSON.stringify(facts)]])).toBe('missing_field')
  })

  it('leaves nothing on the disk', async () => {
    await sendNamed('left', 0, bytesOf(10))
    const names = await readdir(path.join(service.dataDir, 'senders'))
    expect(names.filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('needs credentials before the file, and counts against the quota of its owner', async () => {
    const variables = { AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token', QUOTA_BYTES: String(64 * CHUNK) }
    const own = await startService({ ...settings, ...variables })
    const shared = service
    service = own
    try {
      const token = await tokenFor('ann')
      const late = [['hash', 'q-0'] as const, ['filename', 'q.bin'] as const, ['fileHash', 'q'] as const]
      const behind = await send('/upload/verify-merge', [['chunk', bytesOf(10)], ...late, ['token', token]])
      expect(behind.status).toBe(401)
      const first = [['token', token] as const, ['chunk', bytesOf(10)] as const]
      expect((await send('/upload/verify-merge', [...first, ...late])).status).toBe(200)
      const bearer = { Authorization: `Bearer ${token}` }
      expect((await merge('q', bearer)).status).toBe(200)
      expect((await merge('q', { Authorization: `Bearer ${await tokenFor('bob')}` })).status).toBe(400)
      const big = await sendNamed('big', 65, bytesOf(CHUNK), bearer)
      expect([big.status, big.body['code']]).toEqual([400, 'quota_exceeded'])
    } finally {
      service = shared
      await own.close()
    }
  })
})

describe('An id that the service issues', () => {
  const begin = async (name: string, size: number) => {
    const { status, body } = await ask('upload-session', { phase: 'start', name, size, mime_type: 'text/plain' })
    const data = z.object({ session_id: z.string() }).safeParse(body['data']).data
    return { status, body, id: data?.session_id ?? '' }
  }
  const sendTo = (id: string, start: number, bytes: Uint8Array<ArrayBuffer>) =>
    send('/upload/upload-session', [
      ['phase', 'upload'],
      ['session_id', id],
      ['start_offset', String(start)],
      ['chunk', bytes],
    ])

  it('keeps what the page said, over a restart, and stores nothing', async () => {
    const content = bytesOf(CHUNK + 5, 7)
    const { id, body } = await begin('kept 测试.bin', content.length)
    expect(body).toEqual({ status: 'success', data: { session_id: id, end_offset: CHUNK } })
    expect(id).not.toContain(Buffer.from('kept').toString('base64url').slice(0, 5))
    service = await service.restart()
    expect((await sendTo(id, CHUNK, pieceOf(content, 1))).status).toBe(200)
    expect((await sendTo(id, 0, pieceOf(content, 0))).status).toBe(200)
    const end = await ask('upload-session', { phase: 'finish', session_id: id })
    const url = z.string().parse(end.body['url'])
    const file = await fetch(new URL(url, service.url))
    expect(file.headers.get('Content-Disposition')).toContain(encodeURIComponent('测试'))
    expect(Buffer.from(await file.arrayBuffer()).equals(content)).toBe(true)
  })

  it('is of no use if it is changed, or says too much, or contradicts its chunks', async () => {
    const { id } = await begin('a.bin', 10)
    const changed = `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`
    for (const wrong of [changed, `${id}A`, `${id}=`, id.slice(0, 20), 'a', '']) {
      expect(await sendTo(wrong, 0, bytesOf(10))).toMatchObject({ status: 400 })
    }
    expect((await begin('n'.repeat(1100), 10)).body).toMatchObject({ code: 'bad_field' })
    expect((await sendTo(id, CHUNK, bytesOf(10))).body).toMatchObject({ code: 'bad_field' })
    const unknown = await ask('upload-session', { phase: 'finish', session_id: changed })
    expect(unknown).toMatchObject({ status: 400, body: { code: 'not_found' } })
  })

  it('is that of one file: two of one name and size never meet', async () => {
    const [first, second] = [bytesOf(CHUNK + 5, 8), bytesOf(CHUNK + 5, 9)]
    const ids = [(await begin('same.bin', first.length)).id, (await begin('same.bin', first.length)).id]
    for (const index of [0, 1]) {
      for (const [at, content] of [first, second].entries()) {
        expect((await sendTo(ids[at] ?? '', index * CHUNK, pieceOf(content, index))).status).toBe(200)
      }
    }
  })
})
