import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf, expectWhole, finishedFile, land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import {
  BOUNDARY,
  type ChunkFields,
  CLOSING,
  complete,
  cut,
  fieldPart,
  fileFields,
  filePart,
  multipartBody,
  post,
  sendChunk,
} from '../support/webuploader.ts'
import { connect } from '../support/wire.ts'

let service: TestService
let tasks = 0

beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

/** A file of three chunks, 10 + 10 + 5 bytes, of a task of its own. */
function threeChunks(name = 'file.bin'): ReturnType<typeof cut> {
  return cut(bytesOf(25, ++tasks), 10, { name, task_id: `wu_bad_input_task_${tasks}` })
}

/** Asserts a refusal with its code, one sentence, and nothing of the inside. */
async function expectRefusal(response: Response, status: number, code: string): Promise<void> {
  const text = await response.text()
  expect([response.status, JSON.parse(text).error?.code, text]).toEqual([status, code, expect.any(String)])
  expect(JSON.parse(text)).toMatchObject({ ok: false, error: { message: expect.stringMatching(/^[A-Z].*\.$/s) } })
  expect(text).not.toContain(service.dataDir)
  expect(text).not.toMatch(/\bat .*\.[jt]s:\d/)
}

function parts(fields: ChunkFields): string[] {
  return Object.entries(fields).map(([name, value]) => fieldPart(name, String(value)))
}

describe('A chunk request', () => {
  it.each([
    ['no file part', (fields: ChunkFields) => [...parts(fields), CLOSING], 'no_file'],
    [
      'two file parts',
      (f: ChunkFields) => [...parts(f), filePart('0123456789'), filePart('x'), CLOSING],
      'several_files',
    ],
    [
      'a needed field after the file',
      (f: ChunkFields) => [...parts({ ...f, chunk: 0 }), filePart('0123456789'), fieldPart('chunk', '1'), CLOSING],
      'field_after_file',
    ],
    ['nothing at all', () => [''], 'malformed_body'],
    ['another boundary than its header says', () => [`--other\r\n\r\nx\r\n--other--\r\n`], 'malformed_body'],
  ])('with %s is refused, and the chunks are still accepted', async (_, body, code) => {
    const file = threeChunks()
    await land(service.url, file, 1)
    await expectRefusal(await post(service.url, body(file.fields(0))), 400, code)
    await land(service.url, file, 0)
    await land(service.url, file, 2)
    await expectWhole(service, file)
  })

  it.each([
    ['text/plain', 400, 'missing_field'],
    ['application/json', 400, 'missing_field'],
    ['multipart/mixed; boundary=x', 415, 'unsupported_type'],
    ['multipart/form-data', 400, 'malformed_body'],
    [`multipart/form-data; boundary=${'b'.repeat(71)}`, 400, 'malformed_body'],
  ])('with the Content-Type %s is refused', async (contentType, status, code) => {
    const file = threeChunks()
    await expectRefusal(
      await post(service.url, [...parts(file.fields(0)), filePart('x'), CLOSING], contentType),
      status,
      code,
    )
  })
})

describe('An invalid number', () => {
  it.each(['-1', '1.5', '1e3', ' 1', '01', '', 'x', '0x10', '99999999999999999999', 'NaN'])(
    '"%s" as size, chunks, or chunk is refused by name',
    async (text) => {
      const file = threeChunks()
      for (const name of ['size', 'chunks', 'chunk'] as const) {
        const response = await sendChunk(service.url, { ...file.fields(0), [name]: text }, file.bytes(0))
        expect((await answerOf(response.clone())).error?.message).toContain(`"${name}"`)
        await expectRefusal(response, 400, 'bad_field')
      }
    },
  )

  it.each([
    ['chunk ≥ chunks', { chunk: 3 }, 'bad_field'],
    ['chunks = 0', { chunks: 0, chunk: 0 }, 'bad_field'],
    ['more chunks than bytes', { chunks: 26, chunk: 0 }, 'bad_field'],
    ['more chunks than allowed', { size: 1_000_000_000, chunks: 100_001 }, 'bad_field'],
  ])('%s is refused', async (_, change, code) => {
    const file = threeChunks()
    await expectRefusal(await sendChunk(service.url, { ...file.fields(0), ...change }, file.bytes(0)), 400, code)
  })

  it.each(['size', 'chunk'] as const)('is refused as is a missing %s', async (name) => {
    const file = threeChunks()
    const { [name]: _, ...rest } = file.fields(1)
    await expectRefusal(
      await post(service.url, [
        ...parts({ size: '', ...rest }).filter((part) => !part.includes(`name="${name}"`)),
        filePart('x'),
        CLOSING,
      ]),
      400,
      'missing_field',
    )
  })

  it('is refused as is a field with two values', async () => {
    const file = threeChunks()
    const body = [...parts(file.fields(0)), fieldPart('chunk', '1'), filePart('0123456789'), CLOSING]
    await expectRefusal(await post(service.url, body), 400, 'duplicate_field')
  })
})

describe('Bytes that do not fit', () => {
  it('are refused as a file in one piece, and the right ones accepted', async () => {
    const file = cut(bytesOf(20, 77), 100, { name: 'one.bin', task_id: `wu_bad_input_task_${++tasks}` })
    await expectRefusal(await sendChunk(service.url, file.common, file.content.subarray(0, 19)), 400, 'wrong_length')
    await expectRefusal(
      await sendChunk(service.url, file.common, Buffer.concat([file.content, file.content])),
      400,
      'wrong_length',
    )
    await land(service.url, file, 0)
    await expectWhole(service, file)
  })

  it.each([0, 1, 26, 1000])(
    'are refused as a chunk of %d bytes where no chunk size fits, and the right ones accepted',
    async (length) => {
      const file = threeChunks()
      await land(service.url, file, 2)
      await expectRefusal(await sendChunk(service.url, file.fields(1), bytesOf(length)), 400, 'wrong_length')
      await land(service.url, file, 1)
      await land(service.url, file, 0)
      await expectWhole(service, file)
    },
  )

  it('fail the upload if they have another chunk size; the next chunk restarts it, and the second failure explains why', async () => {
    const file = threeChunks()
    const { url } = await land(service.url, file, 0)
    const other = cut(file.content, 9, { name: 'file.bin', task_id: String(file.common.task_id) })
    await expectRefusal(await sendChunk(service.url, other.fields(1), other.bytes(1)), 409, 'chunk_size_changed')
    const status = await fetch(`${service.url}${url}`, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
    expect(status.status).toBe(422)
    const next = await land(service.url, file, 0)
    expect(next.url).not.toBe(url)
    const again = await sendChunk(service.url, other.fields(1), other.bytes(1))
    expect((await answerOf(again)).error?.message).toMatch(/whole number/)
    for (const chunk of [0, 1, 2]) await land(service.url, file, chunk)
    await expectWhole(service, file)
  })

  it('are refused if they differ from a stored chunk, which stays', async () => {
    const file = threeChunks()
    for (const chunk of [0, 1]) await land(service.url, file, chunk)
    const { url } = await land(service.url, file, 2)
    const wrong = Buffer.from(file.bytes(1))
    wrong.writeUInt8(wrong.readUInt8(9) ^ 1, 9)
    await expectRefusal(await sendChunk(service.url, file.fields(1), wrong), 409, 'content_differs')
    const query = { task_id: String(file.common.task_id), filename: 'file.bin' }
    expect((await complete(service.url, query)).status).toBe(200)
    const download = await fetch(`${service.url}${url}`)
    expect(Buffer.from(await download.arrayBuffer()).equals(file.content)).toBe(true)
  })
})

describe('A truncated body', () => {
  it('does not count, wherever it ends, also right after CRLF --boundary; the retry is accepted', async () => {
    const file = threeChunks()
    await land(service.url, file, 0)
    const body = multipartBody(file.fields(1), file.bytes(1))
    const end = body.lastIndexOf(`--${BOUNDARY}--`) + BOUNDARY.length + 4
    const head = `POST /upload/accept HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n`
    for (let length = 0; length < end; length++) {
      // As a connection that breaks, and as a body that ends there of itself.
      const cutOff = await connect(service.url)
      await cutOff.send(`${head}Content-Length: ${body.length}\r\n\r\n`, body.subarray(0, length))
      await cutOff.cut()
      if (length < end - 400 && length % 10 !== 0) continue
      const wire = await connect(service.url)
      await wire.send(`${head}Content-Length: ${length}\r\n\r\n`, body.subarray(0, length))
      expect([length, (await wire.answer()).status]).toEqual([length, 400])
      await wire.cut()
    }
    const query = { task_id: String(file.common.task_id), filename: 'file.bin' }
    expect(await answerOf(await complete(service.url, query))).toMatchObject({ missing: [1, 2], missing_total: 2 })
    for (const chunk of [1, 2]) await land(service.url, file, chunk)
    await expectWhole(service, file)
  })
})

describe('A malicious field', () => {
  it.each([
    ['../../evil.txt', 'evil.txt'],
    ['..\\..\\evil.txt', 'evil.txt'],
    ['C:\\fake\\x.jpg', 'x.jpg'],
    ['..', 'file'],
    ['a\0b.txt', 'ab.txt'],
    ['new\r\nline.txt', 'newline.txt'],
    ['gpj.\u202Eexe', 'gpj.exe'],
    [`${'长'.repeat(2_000)}.txt`, `${'长'.repeat(83)}.txt`],
  ])('with the name %j becomes a plain file in its own folder', async (name, stored) => {
    const file = cut(bytesOf(20, ++tasks), 100, { name, task_id: `wu_bad_input_task_${tasks}` })
    const { id } = await land(service.url, file, 0)
    expect((await finishedFile(service, id, stored)).equals(file.content)).toBe(true)
    expect(await readdir(path.join(service.dataDir, 'files', String(id)))).toEqual([stored])
  })

  it('with a name of 10,000 characters is refused with a sentence', async () => {
    const fields = fileFields('n'.repeat(10_000), 5, `wu_bad_input_task_${++tasks}`)
    await expectRefusal(await sendChunk(service.url, fields, bytesOf(5)), 400, 'field_too_large')
  })

  it('of megabytes is refused, and the client receives the response', async () => {
    const fields = { ...fileFields('a.bin', 5, `wu_bad_input_task_${++tasks}`), type: 'x'.repeat(20_000_000) }
    await expectRefusal(await sendChunk(service.url, fields, bytesOf(5)), 400, 'field_too_large')
  })

  it('that is repeated too often is refused, also in the query', async () => {
    const many = Array.from({ length: 200 }, () => fieldPart('id', 'x'))
    await expectRefusal(await post(service.url, [...many, filePart('x'), CLOSING]), 400, 'too_many_fields')
    const query = `?${'id=x&'.repeat(200)}`
    await expectRefusal(await post(service.url, ['x'], 'application/octet-stream', query), 400, 'too_many_fields')
  })

  it('is refused among more parts than any page sends', async () => {
    const many = fieldPart('x', '').repeat(20_000)
    await expectRefusal(await post(service.url, [many, filePart('x'), CLOSING]), 400, 'too_many_fields')
  })

  it('named like a property of objects is only a field', async () => {
    const file = cut(bytesOf(20, ++tasks), 100, { name: '__proto__', task_id: `wu_bad_input_task_${tasks}` })
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const body = [...parts(file.common), ...names.map((name) => fieldPart(name, 'x')), filePart(file.content), CLOSING]
    expect((await post(service.url, body)).status).toBe(200)
    await expectWhole(service, file)
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('x')
  })
})

describe('After a refusal,', () => {
  it('the same connection continues, even if the refused body was long', async () => {
    const file = cut(bytesOf(20, ++tasks), 100, { name: 'next.bin', task_id: `wu_bad_input_task_${tasks}` })
    const wire = await connect(service.url)
    const head = `POST /upload/accept HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n`
    const bad = multipartBody({ ...file.common, size: 'x' }, bytesOf(3_000_000))
    await wire.send(`${head}Content-Length: ${bad.length}\r\n\r\n`, bad)
    expect((await wire.answer()).status).toBe(400)
    const good = multipartBody(file.common, file.content)
    await wire.send(`${head}Content-Length: ${good.length}\r\n\r\n`, good)
    expect((await wire.answer()).status).toBe(200)
    await wire.cut()
    await expectWhole(service, file)
  })
})
