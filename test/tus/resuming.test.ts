import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { append, beginAppend, createUpload as createByDraft, expectComplete, PARTIAL } from '../support/draft.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProgram } from '../support/program.ts'
import { startService, type TestService } from '../support/service.ts'
import { bytesOnDisk, expectFile, expectToResume } from '../support/stored-uploads.ts'
import { beginPatch, createUpload, head, offsetOf, PATCH_HEADERS, patch, patchWith, reached } from '../support/tus.ts'
import { connect, requestHead, until, type Wire } from '../support/wire.ts'

const content = bytesOf(10_000)
let service: TestService
afterEach(() => service?.close())

/** A PATCH has sent 1000 bytes when HEAD arrives, and then sends 500 more. */
async function outrun(): Promise<{ readonly url: string; readonly older: Wire }> {
  service = await startService()
  const url = await createUpload(service.url, content.length)
  const older = await connect(service.url)
  await beginPatch(older, url, 0, content.length, content.subarray(0, 1000))
  await reached(url, 1000)
  await older.send(content.subarray(1000, 1500))
  await until(async () => (await bytesOnDisk(service, url)) === 1500)
  return { url, older }
}

describe('The offset that HEAD returned', () => {
  it('is accepted after the connection of a PATCH beyond it was cut', async () => {
    const { url, older } = await outrun()
    await older.cut()
    const next = await patch(url, 1000, content.subarray(1000))
    expect([next.status, next.headers.get('Upload-Offset')]).toEqual([204, '10000'])
    await expectFile(service, url, content)
  })

  it('is accepted while a PATCH beyond it seems to run, which it ends', async () => {
    const { url, older } = await outrun()
    expect((await patch(url, 1000, content.subarray(1000, 2000))).status).toBe(204)
    expect((await older.answer()).status).toBe(409)
    await older.closed
    await expectToResume(service, url, content, 2000)
  })

  it('is accepted only with the same bytes as have arrived meanwhile', async () => {
    const { url, older } = await outrun()
    const other = await patch(url, 1000, bytesOf(9000, 2))
    expect([other.status, other.headers.get('Upload-Error')]).toEqual([409, 'content_differs'])
    await older.closed
    await expectToResume(service, url, content, 1500)
  })

  it('is accepted with a checksum, too', async () => {
    const { url, older } = await outrun()
    await older.cut()
    const rest = content.subarray(1000)
    const checksum = `md5 ${createHash('md5').update(rest).digest('base64')}`
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '1000', 'Upload-Checksum': checksum }
    expect((await patchWith(url, headers, rest)).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('is not accepted after another PATCH has succeeded', async () => {
    const { url, older } = await outrun()
    await older.send(content.subarray(1500))
    expect((await older.answer()).status).toBe(204)
    await older.cut()
    expect((await patch(url, 1000, content.subarray(1000))).status).toBe(409)
    await expectFile(service, url, content)
  })

  it('makes no other offset acceptable', async () => {
    const { url, older } = await outrun()
    await older.cut()
    for (const offset of [0, 999, 1001, 1499, 1501]) {
      const refused = await patch(url, offset, content.subarray(offset))
      expect([refused.status, refused.headers.get('Upload-Offset')]).toEqual([409, '1500'])
    }
    await expectToResume(service, url, content, 1500)
  })

  it('is only that of the last HEAD', async () => {
    const { url, older } = await outrun()
    await reached(url, 1500)
    await older.cut()
    expect((await patch(url, 1000, content.subarray(1000))).status).toBe(409)
    await expectToResume(service, url, content, 1500)
  })

  it('is accepted from a draft client, after a HEAD without a version', async () => {
    service = await startService()
    const url = await createByDraft(service.url)
    const older = await beginAppend(url, 0, true, content.length, content.subarray(0, 1000))
    await until(async () => (await fetch(url, { method: 'HEAD' })).headers.get('Upload-Offset') === '1000')
    await older.send(content.subarray(1000, 1500))
    await until(async () => (await bytesOnDisk(service, url)) === 1500)
    expectComplete(await append(url, 1000, true, content.subarray(1000), { 'Content-Type': PARTIAL }))
    expect((await older.answer()).status).toBe(409)
    await older.closed
    await expectFile(service, url, content)
  })
})

describe('HEAD after the connection of a PATCH was cut', () => {
  const SLOW = fileURLToPath(new URL('../support/program-on-slow-disk.mjs', import.meta.url))

  it('waits until a slow disk has the bytes that arrived', async () => {
    const folder = await temporaryFolder()
    const program = await startProgram({ DATA_DIR: folder.path, SYNC: 'never', BYTES_PER_SECOND: '500000' }, SLOW)
    try {
      const url = await createUpload(program.url, 1_000_000)
      const wire = await connect(program.url)
      const sent = bytesOf(300_000)
      const fields = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': 1_000_000, Expect: '100-continue' }
      await wire.send(requestHead('PATCH', new URL(url).pathname, fields))
      expect((await wire.next()).status).toBe(100)
      await wire.send(sent)
      await wire.cut()
      expect(await offsetOf(url)).toBe(sent.length)
    } finally {
      await program.end('SIGKILL')
      await folder.dispose()
    }
  })
})

describe('HEAD while a PATCH waits for its client', () => {
  it.each([
    ['of tus', (url: string) => head(url)],
    ['without a version', (url: string) => fetch(url, { method: 'HEAD' })],
  ])('does not interrupt it: %s', async (_, ask) => {
    service = await startService()
    const url = await createUpload(service.url, content.length)
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, content.length, Buffer.alloc(0))
    for (let offset = 0; offset < content.length; offset += 500) {
      await wire.send(content.subarray(offset, offset + 500))
      const answers = await Promise.all([ask(url), ask(url), ask(url)])
      for (const { ok, headers } of answers) {
        expect(ok).toBe(true)
        expect(Number(headers.get('Upload-Offset'))).toBeGreaterThanOrEqual(offset)
      }
    }
    expect((await wire.answer()).status).toBe(204)
    await wire.cut()
    await expectFile(service, url, content)
  })
})
