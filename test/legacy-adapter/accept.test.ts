import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import {
  type Accepted,
  expectAccepted,
  expectFile,
  expectRefusal,
  expectRefusalText,
  expectToFinish,
  land,
  landAll,
} from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { head, TUS } from '../support/tus.ts'
import {
  BOUNDARY,
  type ChunkFields,
  type Cut,
  cut,
  fileFields,
  MULTIPART,
  multipartBody,
  post,
  sendChunk,
} from '../support/webuploader.ts'
import { codedPiece, connect, requestHead } from '../support/wire.ts'

let service: TestService
/** A task of its own for each test, so that they can share a service. */
let task = 0
beforeAll(async () => {
  service = await startService({ TRUST_PROXY: 'true' })
})
afterAll(() => service.close())
beforeEach(() => {
  task += 1
})
const fresh = (content: Buffer<ArrayBuffer>, chunkSize: number, more: Partial<ChunkFields> = {}): Cut =>
  cut(content, chunkSize, { task_id: `wu_task_of_the_test_${task}`, ...more })

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))
}

describe('Chunks in any order', () => {
  const content = bytesOf(3100)

  it.each(permutations([0, 1, 2, 3]).map((order) => [order.join(', '), order] as const))(
    '%s become the file',
    async (_, order) => {
      const file = fresh(content, 1000)
      let received = 0
      for (const [i, chunk] of order.entries()) {
        const answer = await land(service.url, file, chunk)
        received += file.bytes(chunk).length
        expect(answer).toMatchObject({ size: 3100, received, finished: i === 3 })
        expect(answer.url).toBe(`/files/${answer.id}`)
        if (i < 3) expect((await fetch(new URL(answer.url, service.url))).status).toBe(404)
        else await expectFile(service, answer, content)
      }
    },
  )

  it('show a tus client the bytes from 0 without a gap', async () => {
    const file = fresh(content, 1000)
    const offsets = []
    for (const chunk of [2, 0, 1, 3]) {
      const { url } = await land(service.url, file, chunk)
      const told = await head(new URL(url, service.url).href)
      expect(told.status).toBe(200)
      expect(told.headers.get('Upload-Length')).toBe('3100')
      offsets.push(told.headers.get('Upload-Offset'))
    }
    expect(offsets).toEqual(['0', '1000', '3000', '3100'])
  })

  it('change nothing when they are sent again, before and after the end', async () => {
    const file = fresh(content, 1000)
    await land(service.url, file, 2)
    expect(await land(service.url, file, 2)).toMatchObject({ received: 1000, finished: false })
    await land(service.url, file, 0)
    expect(await land(service.url, file, 0)).toMatchObject({ received: 2000, finished: false })
    const first = await landAll(service.url, file)
    expect(first).toMatchObject({ received: 3100, finished: true })
    for (const chunk of [3, 0, 1, 2]) {
      expect(await land(service.url, file, chunk)).toEqual(first)
    }
    await expectFile(service, first, content)
  })

  it.each([1, 2, 7, 65_535, 65_536, 65_537])(
    'of %d bytes, the last one shorter, become the file',
    async (chunkSize) => {
      const whole = bytesOf(3 * chunkSize + Math.ceil(chunkSize / 2))
      const file = fresh(whole, chunkSize)
      let answer = await land(service.url, file, file.count - 1)
      for (let chunk = file.count - 2; chunk >= 0; chunk--) answer = await land(service.url, file, chunk)
      expect(answer.finished).toBe(true)
      await expectFile(service, answer, whole)
    },
  )

  it.each([1, 7, 65_536])('of %d bytes, the last one as long as the others, become the file', async (chunkSize) => {
    const whole = bytesOf(4 * chunkSize)
    const file = fresh(whole, chunkSize)
    for (const chunk of [3, 1, 0]) await land(service.url, file, chunk)
    const answer = await land(service.url, file, 2)
    expect(answer.finished).toBe(true)
    await expectFile(service, answer, whole)
  })

  it('of 5 MiB, three at a time, become the file', async () => {
    const whole = bytesOf(5 * 5_242_880 + 1)
    const file = fresh(whole, 5_242_880)
    for (const turn of [
      [0, 1, 2],
      [3, 4, 5],
    ]) {
      await Promise.all(turn.map((chunk) => land(service.url, file, chunk)))
    }
    await expectToFinish(service, file, whole)
  })

  it('with bytes like parts of the boundary become the file', async () => {
    const lines = [
      '\r\n',
      `\r\n--${BOUNDARY.slice(0, -1)}`,
      `--${BOUNDARY}`,
      `\r\n--${BOUNDARY.slice(0, -1)}\r`,
      '\r',
      '\n--',
    ]
    const whole = Buffer.from(lines.join('').repeat(40))
    const file = fresh(whole, 101)
    await expectToFinish(service, file, whole)
  })

  it('become an image that the page recompressed, with its type', async () => {
    const whole = bytesOf(922_180)
    const file = fresh(whole, 307_200, { name: 'photo.jpg', type: 'image/jpeg' })
    await expectToFinish(service, file, whole, 'photo.jpg')
  })
})

describe('A file in one block', () => {
  const content = bytesOf(1234)

  it.each<[string, Partial<ChunkFields>]>([
    ['without chunk fields', {}],
    ['with a stale chunk=77 of an earlier file', { chunk: '77' }],
    ['with chunk=0 and chunks=1', { chunk: 0, chunks: 1 }],
    ['with chunks=1', { chunks: 1, chunk: '0' }],
    ['without an id and a time', { id: '', lastModifiedDate: '' }],
  ])('%s is stored', async (_, more) => {
    const file = fresh(content, 5000, more)
    const answer = await land(service.url, file, 0)
    expect(answer).toMatchObject({ size: 1234, received: 1234, finished: true })
    await expectFile(service, answer, content)
    expect(await land(service.url, file, 0)).toEqual(answer)
  })

  it('is the same upload with and without chunks=1', async () => {
    const answer = await land(service.url, fresh(content, 5000), 0)
    expect(await land(service.url, fresh(content, 5000, { chunks: 1, chunk: 0 }), 0)).toEqual(answer)
  })

  it('is stored if it is empty', async () => {
    const answer = await land(service.url, fresh(Buffer.alloc(0), 1000, { name: 'empty.txt' }), 0)
    expect(answer).toMatchObject({ size: 0, received: 0, finished: true })
    await expectFile(service, answer, Buffer.alloc(0), 'empty.txt')
  })

  it('keeps a Chinese name', async () => {
    const answer = await land(service.url, fresh(content, 5000, { name: '测试 文件.txt' }), 0)
    await expectFile(service, answer, content, '测试 文件.txt')
    const response = await fetch(new URL(answer.url, service.url))
    expect(response.headers.get('Content-Disposition')).toContain(encodeURIComponent('测试 文件.txt'))
  })

  it('is stored if it has 12 MiB', async () => {
    const whole = bytesOf(12_582_912)
    await expectFile(service, await land(service.url, fresh(whole, 20_971_520), 0), whole)
  })

  it('is stored without a task_id, and is the same upload only for the same address', async () => {
    const send = async (address: string) => {
      const { task_id: _, ...fields } = fresh(content, 5000, { name: `no task ${task}.bin` }).fields(0)
      return expectAccepted(
        await fetch(`${service.url}/upload/accept`, {
          method: 'POST',
          headers: { 'Content-Type': MULTIPART, 'X-Forwarded-For': address },
          body: multipartBody(fields, content),
        }),
      )
    }
    const [mine, again, other] = [await send('10.0.0.1'), await send('10.0.0.1'), await send('10.0.0.2')]
    expect(again).toEqual(mine)
    expect(other.id).not.toBe(mine.id)
    await expectFile(service, mine, content, `no task ${task}.bin`)
    await expectFile(service, other, content, `no task ${task}.bin`)
  })
})

describe('The file of a chunk', () => {
  const content = bytesOf(2500)

  it('is identified by its name: two files under one task_id at the same time stay apart', async () => {
    const [a, b] = [bytesOf(2500, 2), bytesOf(2500, 3)]
    const [first, second] = [fresh(a, 1000, { name: 'a.bin' }), fresh(b, 1000, { name: 'b.bin', id: 'WU_FILE_1' })]
    const answers = []
    for (const chunk of [1, 0, 2]) {
      answers.push(await land(service.url, first, chunk), await land(service.url, second, chunk))
    }
    const [last, other] = answers.slice(-2)
    if (last === undefined || other === undefined) throw new Error('There were six answers.')
    expect(last.id).not.toBe(other.id)
    await expectFile(service, last, a, 'a.bin')
    await expectFile(service, other, b, 'b.bin')
  })

  it.each<[string, Partial<ChunkFields>]>([
    ['id', { id: 'WU_FILE_9' }],
    ['name', { name: 'other.bin' }],
    ['time', { lastModifiedDate: 'Tue Nov 24 2026 07:35:14 GMT+0000' }],
    ['task', { task_id: 'wu_quite_another_task' }],
    ['empty task', { task_id: '' }],
  ])('is another one if the %s differs', async (_, more) => {
    const other = bytesOf(2500, 5)
    const mine = await land(service.url, fresh(content, 1000), 0)
    const theirs = await landAll(service.url, fresh(other, 1000, more))
    expect(theirs.id).not.toBe(mine.id)
    const rest = await landAll(service.url, fresh(content, 1000))
    expect(rest.id).toBe(mine.id)
    await expectFile(service, rest, content)
  })

  it('is a new upload after the file was deleted, and the old URL stays gone', async () => {
    const file = fresh(content, 1000)
    const first = await landAll(service.url, file)
    const old = new URL(first.url, service.url)
    expect((await fetch(old, { method: 'DELETE', headers: TUS })).status).toBe(204)
    const second = await landAll(service.url, file)
    expect(second.id).not.toBe(first.id)
    await expectFile(service, second, content)
    expect((await fetch(old)).status).toBe(410)
    expect((await head(old.href)).status).toBe(404)
    expect((await fetch(new URL(second.url, service.url), { method: 'DELETE', headers: TUS })).status).toBe(204)
    const third = await landAll(service.url, file)
    expect([first.id, second.id]).not.toContain(third.id)
    await expectFile(service, third, content)
    expect((await fetch(old)).status).toBe(410)
  })

  it('has a relative URL without the Host header', async () => {
    const wire = await connect(service.url)
    const body = multipartBody(fresh(content, 5000).fields(0), content)
    const headers = { Host: '127.0.0.9:81', 'Content-Type': MULTIPART, 'Content-Length': body.length }
    await wire.send(requestHead('POST', '/upload/accept', headers), body)
    const answer = await wire.answer()
    await wire.cut()
    expect(answer.status).toBe(200)
    expect(answer.body).toContain('"url":"/files/')
    expect(answer.body).not.toContain('127.0.0.9')
  })
})

describe('Names as bytes', () => {
  /** A chunk request with a value that may not be UTF-8. */
  async function sendRaw(name: Buffer | undefined, partName: Buffer, chunk: number, bytes: Buffer): Promise<Response> {
    const fields = fileFields('', 2000, `wu_task_of_the_test_${task}`)
    const texts = { task_id: fields.task_id, size: 2000, chunks: 2, chunk }
    const lines = Object.entries(texts).map(
      ([field, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
    )
    const head = (rest: string): Buffer => Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${rest}`)
    const named = name === undefined ? [] : [head('name="name"\r\n\r\n'), name, Buffer.from('\r\n')]
    const file = [head('name="file"; filename="'), partName, Buffer.from('"\r\n\r\n'), bytes]
    const end = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
    return post(service.url, Buffer.concat([Buffer.from(lines.join('')), ...named, ...file, end]))
  }

  it('distinguish files that have no name except that of their parts', async () => {
    const contents = [bytesOf(2000, 1), bytesOf(2000, 2)]
    const names = ['文件.bin', '测试.bin']
    const answers: Accepted[] = []
    for (const chunk of [0, 1]) {
      for (const [at, content] of contents.entries()) {
        const bytes = content.subarray(chunk * 1000, (chunk + 1) * 1000)
        const response = await sendRaw(undefined, Buffer.from(names[at] ?? ''), chunk, bytes)
        answers[at] = await expectAccepted(response)
      }
    }
    for (const [at, answer] of answers.entries()) {
      await expectFile(service, answer, contents[at] ?? Buffer.alloc(0), names[at])
    }
  })
})

describe('An image that the page has shrunk but reports with its old size', () => {
  const content = bytesOf(900)
  const image = { name: 'photo.jpg', type: 'image/jpeg', size: 1500 }

  it('is stored with its actual size, and is the same upload when sent again', async () => {
    const file = fresh(content, 5000, image)
    const answer = await land(service.url, file, 0)
    expect(answer).toMatchObject({ size: 900, received: 900, finished: true })
    await expectFile(service, answer, content, 'photo.jpg')
    expect(await land(service.url, file, 0)).toEqual(answer)
  })

  it('is refused with a matching sentence if it is not an image', async () => {
    const file = fresh(content, 5000, { size: 1500 })
    const sentence = await expectRefusal(await sendChunk(service.url, file.fields(0), content), 400, 'wrong_length')
    expect(sentence).toBe('The file has 900 bytes, but its field "size" says 1500.')
  })
})

describe('An untrusted client', () => {
  it('cannot choose its address by X-Forwarded-For without TRUST_PROXY', async () => {
    const strict = await startService()
    try {
      const content = bytesOf(100)
      const { task_id: _, ...fields } = cut(content, 1000).fields(0)
      const body = multipartBody(fields, content)
      const send = async (forwarded: string, localAddress: string): Promise<string> => {
        const wire = await connect(strict.url, localAddress)
        const headers = { 'Content-Type': MULTIPART, 'Content-Length': body.length, 'X-Forwarded-For': forwarded }
        await wire.send(requestHead('POST', '/upload/accept', headers), body)
        const answer = await wire.answer()
        await wire.cut()
        expect(answer.status).toBe(200)
        return answer.body
      }
      const mine = await send('10.0.0.1', '127.0.0.1')
      expect(await send('10.0.0.2', '127.0.0.1')).toBe(mine)
      expect(await send('10.0.0.1', '127.0.0.2')).not.toBe(mine)
    } finally {
      await strict.close()
    }
  })
})

describe('sendAsBinary', () => {
  const content = bytesOf(2500)

  async function sendBinary(file: Cut, chunk: number, contentType: string | undefined, coded = false) {
    const query = new URLSearchParams(
      Object.entries(file.fields(chunk)).map(([name, value]): [string, string] => [name, String(value)]),
    )
    const bytes = file.bytes(chunk)
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', `/upload/accept?${query}`, {
        ...(contentType === undefined ? {} : { 'Content-Type': contentType }),
        ...(coded ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': bytes.length }),
      }),
      ...(coded ? [codedPiece(bytes), codedPiece(Buffer.alloc(0))] : [bytes]),
    )
    const answer = await wire.answer()
    await wire.cut()
    return new Response(answer.body, { status: answer.status, headers: answer.headers })
  }

  it.each([
    undefined,
    'application/octet-stream',
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/related',
    'nonsense',
  ])('is stored with the Content-Type %s', async (contentType) => {
    const file = fresh(content, 1000)
    await expectAccepted(await sendBinary(file, 2, contentType))
    await expectAccepted(await sendBinary(file, 0, contentType))
    expect(await expectAccepted(await sendBinary(file, 0, contentType))).toMatchObject({ received: 1500 })
    const answer = await expectAccepted(await sendBinary(file, 1, contentType))
    expect(answer.finished).toBe(true)
    await expectFile(service, answer, content)
  })

  it('stores one block with a Chinese name', async () => {
    const file = fresh(content, 5000, { name: '测试 文件.txt' })
    const answer = await expectAccepted(await sendBinary(file, 0, undefined))
    await expectFile(service, answer, content, '测试 文件.txt')
  })

  it('is stored if it is empty', async () => {
    const file = fresh(Buffer.alloc(0), 1000, { name: 'empty.txt' })
    const answer = await expectAccepted(await sendBinary(file, 0, undefined))
    await expectFile(service, answer, Buffer.alloc(0), 'empty.txt')
  })

  it('is the same upload as the same file in multipart', async () => {
    const file = fresh(content, 1000)
    const first = await land(service.url, file, 0)
    expect((await expectAccepted(await sendBinary(file, 1, undefined))).id).toBe(first.id)
    await expectToFinish(service, file, content)
  })

  it('is refused without any field', async () => {
    const response = await post(service.url, content, 'application/octet-stream')
    await expectRefusal(response, 400, 'missing_field')
    const file = fresh(content, 1000)
    await expectToFinish(service, file, content)
  })

  it('is refused with two values for one field', async () => {
    const file = fresh(content, 5000)
    const query = `task_id=wu_task_of_the_test_${task}&name=big.bin&size=2500&size=2501`
    const response = await fetch(`${service.url}/upload/accept?${query}`, { method: 'POST', body: content })
    await expectRefusal(response, 400, 'duplicate_field')
    await expectToFinish(service, file, content)
  })

  it('is refused with a body of a wrong length, and accepted with the right one', async () => {
    const file = fresh(content, 1000)
    await land(service.url, file, 0)
    for (const length of [0, 999, 1001, 2500]) {
      const wrong: Cut = { ...file, bytes: () => bytesOf(length, 9) }
      const response = await sendBinary(wrong, 1, undefined)
      expect([400, 409]).toContain(response.status)
      if (response.status === 409) break
      expect(await land(service.url, file, 0)).toMatchObject({ received: 1000 })
    }
  })

  it('stores chunk 0 and those after it in the chunked transfer coding', async () => {
    const file = fresh(content, 1000)
    for (const chunk of [0, 2, 1]) await expectAccepted(await sendBinary(file, chunk, undefined, true))
    await expectToFinish(service, file, content)
  })

  it('stores the retry of a later chunk that arrives first in the chunked transfer coding', async () => {
    const file = fresh(content, 1000)
    await expectRefusal(await sendBinary(file, 2, undefined, true), 409, 'chunk_not_placed')
    expect(await expectAccepted(await sendBinary(file, 2, undefined, true))).toMatchObject({ received: 500 })
    await expectToFinish(service, file, content)
  })
})

describe('A multipart body in the chunked transfer coding', () => {
  const content = bytesOf(2500)

  async function sendCoded(file: Cut, chunk: number) {
    const body = multipartBody(file.fields(chunk), file.bytes(chunk))
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', '/upload/accept', { 'Content-Type': MULTIPART, 'Transfer-Encoding': 'chunked' }),
      codedPiece(body.subarray(0, 700)),
      codedPiece(body.subarray(700)),
      codedPiece(Buffer.alloc(0)),
    )
    const answer = await wire.answer()
    await wire.cut()
    return answer
  }

  it.each([1, 2])('is not placed if chunk %d arrives first, and accepted on its retry', async (chunk) => {
    const file = fresh(content, 1000)
    const first = await sendCoded(file, chunk)
    expectRefusalText(first.status, first.body, 409, 'chunk_not_placed')
    const retry = await sendCoded(file, chunk)
    expect(retry.status).toBe(200)
    expect(retry.body).toContain(`"received":${file.bytes(chunk).length},`)
    await expectToFinish(service, file, content)
  })

  it('is stored if chunk 0 arrives first', async () => {
    const file = fresh(content, 1000)
    for (const chunk of [0, 1, 2]) expect((await sendCoded(file, chunk)).status).toBe(200)
    await expectToFinish(service, file, content)
  })

  it('is stored as a single block', async () => {
    const file = fresh(content, 5000)
    expect((await sendCoded(file, 0)).status).toBe(200)
    await expectToFinish(service, file, content)
  })
})

describe('Flash, which sends a field "Upload" after the file', () => {
  const content = bytesOf(2500)

  function flashBody(file: Cut, chunk: number): Buffer<ArrayBuffer> {
    const end = `--${BOUNDARY}--\r\n`
    const body = multipartBody(file.fields(chunk), file.bytes(chunk))
    return Buffer.concat([
      body.subarray(0, body.length - end.length),
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="Upload"\r\n\r\nSubmit Query\r\n`),
      Buffer.from(`--${BOUNDARY}--`),
    ])
  }

  it('uploads a file in one block', async () => {
    const file = fresh(content, 5000)
    const answer = await expectAccepted(await post(service.url, flashBody(file, 0)))
    expect(answer.finished).toBe(true)
    await expectFile(service, answer, content)
  })

  it('uploads chunk 0, and the others after it', async () => {
    const file = fresh(content, 1000)
    expect(await expectAccepted(await post(service.url, flashBody(file, 0)))).toMatchObject({ received: 1000 })
    await expectAccepted(await post(service.url, flashBody(file, 2)))
    const answer = await expectAccepted(await post(service.url, flashBody(file, 1)))
    expect(answer.finished).toBe(true)
    await expectFile(service, answer, content)
  })

  it.each([1, 2])('cannot upload chunk %d before any other, but on its retry', async (chunk) => {
    const file = fresh(content, 1000)
    await expectRefusal(await post(service.url, flashBody(file, chunk)), 409, 'chunk_not_placed')
    expect(await expectAccepted(await post(service.url, flashBody(file, chunk)))).toMatchObject({
      received: file.bytes(chunk).length,
    })
    await expectToFinish(service, file, content)
  })
})

describe('URLs under PUBLIC_URL', () => {
  let proxied: TestService
  afterEach(() => proxied.close())
  it('are returned when it is set', async () => {
    proxied = await startService({ PUBLIC_URL: 'https://up.example/base' })
    const content = bytesOf(10)
    const { id, url } = await land(proxied.url, cut(content, 100), 0)
    expect(url).toBe(`https://up.example/base/files/${id}`)
    await expectFile(proxied, { id, url: `/files/${id}`, ok: true, size: 10, received: 10, finished: true }, content)
  })
})
