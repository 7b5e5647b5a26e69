import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { expectFile, expectRefusal, expectToFinish, land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { head, patch } from '../support/tus.ts'
import { type Cut, complete, cut, fileFields, sendChunk } from '../support/webuploader.ts'

let service: TestService
let task = 0
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())
beforeEach(() => {
  task += 1
})

const content = bytesOf(2500)
const taskId = (): string => `wu_task_of_chunk_sizes_${task}`
const cutAt = (chunkSize: number): Cut => cut(content, chunkSize, { task_id: taskId(), chunks: 3 })
const sendOf = (file: Cut, chunk: number): Promise<Response> =>
  sendChunk(service.url, file.fields(chunk), file.bytes(chunk))

describe('A file whose chunks are cut in two sizes', () => {
  it.each([0, 1])('fails for WebUploader and for tus when chunk %d reveals it, and restarts', async (chunk) => {
    const first = await land(service.url, cutAt(1000), 2)
    await expectRefusal(await sendOf(cutAt(900), chunk), 409, 'chunk_size_changed')
    const url = new URL(first.url, service.url).href
    expect((await head(url)).status).toBe(422)
    expect((await patch(url, 0, content)).status).toBe(422)
    expect((await fetch(url)).status).not.toBe(200)
    const asked = await complete(service.url, { task_id: taskId(), filename: 'big.bin' })
    await expectRefusal(asked, 409, 'chunk_size_changed')
    const next = await land(service.url, cutAt(900), chunk)
    expect(next.id).not.toBe(first.id)
    expect(next.received).toBe(900)
    await expectToFinish(service, cutAt(900), content)
    expect((await head(url)).status).toBe(422)
  })

  it('explains itself from the second failure on', async () => {
    for (let failure = 1; failure <= 3; failure++) {
      await land(service.url, cutAt(1000), 0)
      const sentence = await expectRefusal(await sendOf(cutAt(900), 1), 409, 'chunk_size_changed')
      if (failure === 1) expect(sentence).not.toContain('chunkSize')
      else expect(sentence).toMatch(/chunkSize that is a whole number/)
    }
    await expectToFinish(service, cutAt(1000), content)
  })

  it('fails if they are cut at fractions of bytes, and is accepted with a whole chunkSize', async () => {
    const fractional = (chunk: number, length: number): Promise<Response> =>
      sendChunk(
        service.url,
        { ...fileFields('big.bin', 30_819, taskId()), chunks: 4, chunk },
        bytesOf(length, chunk + 1),
      )
    expect((await fractional(0, 10_000)).status).toBe(200)
    await expectRefusal(await fractional(1, 10_001), 409, 'chunk_size_changed')
    const whole = bytesOf(30_819)
    await expectToFinish(service, cut(whole, 10_000, { task_id: taskId() }), whole)
  })

  it('does not fail for a chunk whose body broke off: only a whole one reveals its size', async () => {
    await land(service.url, cutAt(1000), 0)
    const body = `------x\r\nContent-Disposition: form-data; name="task_id"\r\n\r\n${taskId()}`
    const headers = { 'Content-Type': 'multipart/form-data; boundary=----x' }
    await expectRefusal(
      await fetch(`${service.url}/upload/accept`, { method: 'POST', headers, body }),
      400,
      'malformed_body',
    )
    await expectToFinish(service, cutAt(1000), content)
  })

  it('stays finished when it is sent again in another size', async () => {
    await expectToFinish(service, cutAt(1000), content)
    const response = await sendOf(cutAt(900), 1)
    expect(response.status).toBe(409)
    const asked = await complete(service.url, { task_id: taskId(), filename: 'big.bin' })
    expect(asked.status).toBe(200)
    await expectFile(service, await land(service.url, cutAt(1000), 1), content)
  })

  it('stays finished also when the bytes of the other size are those that are stored', async () => {
    const zeros = Buffer.alloc(2500)
    const file = cut(zeros, 1000, { task_id: taskId() })
    await expectToFinish(service, file, zeros)
    const other = await sendOf(cut(zeros, 900, { task_id: taskId() }), 1)
    await expectRefusal(other, 409, 'chunk_size_changed')
    await expectFile(service, await land(service.url, file, 1), zeros)
    const asked = await complete(service.url, { task_id: taskId(), filename: 'big.bin' })
    expect(asked.status).toBe(200)
  })
})

describe('A file that is longer than any storage', () => {
  it.each(['9007199254740991', '9007199254740990', '1000000000000000000', '18446744073709551616'])(
    '(%s bytes) is refused for good, and the service continues',
    async (size) => {
      const response = await sendChunk(
        service.url,
        { ...fileFields('huge.bin', 0, taskId()), size, chunks: 2, chunk: 1 },
        bytesOf(5),
      )
      const tooLong = Number.isSafeInteger(Number(size))
      await expectRefusal(response, tooLong ? 413 : 400, tooLong ? 'too_large' : 'bad_field')
      await expectToFinish(service, cutAt(1000), content)
    },
  )

  it('is refused before a byte of it counts where there is a largest size', async () => {
    const small = await startService({ MAX_SIZE: '2499' })
    try {
      for (const chunk of [0, 2]) {
        const file = cutAt(1000)
        await expectRefusal(await sendChunk(small.url, file.fields(chunk), file.bytes(chunk)), 413, 'too_large')
      }
      const fits = bytesOf(2499)
      await expectToFinish(small, cut(fits, 1000, { task_id: taskId() }), fits)
    } finally {
      await small.close()
    }
  })
})
