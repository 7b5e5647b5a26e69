import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { answerOf, expectWhole, land } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import {
  create,
  createUpload,
  head,
  idOf,
  locationOf,
  offsetOf,
  PATCH_HEADERS,
  patch,
  patchWith,
} from '../support/tus.ts'
import { BOUNDARY, CLOSING, cut, fieldPart, filePart, multipartBody, post, sendChunk } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const content = bytesOf(2 * MIB)
const wrong = { 'Upload-Checksum': `sha1 ${createHash('sha1').update('other bytes').digest('base64')}` }

let service: TestService
beforeEach(async () => {
  service = await startService()
})
afterEach(() => service.close())

/** All per-upload files in the data directory. */
async function left(): Promise<readonly string[]> {
  const folders = ['incoming', 'files', 'journals', 'records', 'leaving', 'gone', 'quarantine']
  const names = await Promise.all(folders.map((folder) => readdir(path.join(service.dataDir, folder))))
  return names.flat()
}

/** The disk space of an unfinished upload, in bytes. */
async function spaceOf(url: string): Promise<number> {
  return (await stat(path.join(service.dataDir, 'incoming', idOf(url)))).blocks * 512
}

describe('A refused first chunk', () => {
  const file = cut(content, MIB)

  it.each<[string, () => Promise<Response>]>([
    ['that does not fit its fields', () => sendChunk(service.url, file.fields(0), bytesOf(1000))],
    [
      'that contradicts a later field',
      () =>
        post(service.url, [
          ...['task_id', 'name'].map((name) => fieldPart(name, 'a')),
          fieldPart('size', String(MIB)),
          filePart(bytesOf(MIB)),
          fieldPart('size', '7'),
          CLOSING,
        ]),
    ],
    ['that is shorter than its file', () => sendChunk(service.url, file.common, bytesOf(1000))],
  ])('%s leaves nothing, however often it is sent', async (_, refuse) => {
    for (let i = 0; i < 10; i++) expect((await refuse()).status).toBe(400)
    expect(await left()).toEqual([])
  })

  it('leaves nothing when it belongs to many files', async () => {
    for (let i = 0; i < 10; i++) {
      const other = cut(content, MIB, { name: `file ${i}.bin`, task_id: `task ${i}` })
      expect((await sendChunk(service.url, other.fields(0), bytesOf(1000))).status).toBe(400)
    }
    expect(await left()).toEqual([])
  })

  it('leaves nothing when its connection breaks', async () => {
    const body = multipartBody(file.fields(0), file.bytes(0))
    const wire = await connect(service.url)
    const type = `multipart/form-data; boundary=${BOUNDARY}`
    await wire.send(requestHead('POST', '/upload/accept', { 'Content-Type': type, 'Content-Length': body.length }))
    await wire.send(body.subarray(0, MIB / 2))
    await until(async () => (await readdir(path.join(service.dataDir, 'incoming'))).length > 0)
    await wire.cut()
    await until(async () => (await left()).length === 0)
    for (const chunk of [0, 1]) await land(service.url, file, chunk)
    await expectWhole(service, file)
  })

  it('does not affect concurrent chunks of the same file', async () => {
    for (let i = 0; i < 5; i++) {
      const each = cut(content.subarray(0, 64_000), 32_000, { name: `file ${i}.bin` })
      const refuse = async (): Promise<void> => {
        const answer = await sendChunk(service.url, each.fields(0), bytesOf(1000))
        // It may wait for its range until another request has filled it.
        expect([400, 409]).toContain(answer.status)
      }
      await Promise.all([refuse(), ...[0, 1].map((chunk) => land(service.url, each, chunk)), refuse()])
      await expectWhole(service, each)
    }
    expect(await readdir(path.join(service.dataDir, 'incoming'))).toEqual([])
    expect(await readdir(path.join(service.dataDir, 'gone'))).toEqual([])
  })
})

describe('Refused bytes', () => {
  let url: string
  beforeEach(async () => {
    url = await createUpload(service.url, content.length)
  })

  async function expectToFinish(offset: number): Promise<void> {
    expect(await offsetOf(url)).toBe(offset)
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
    await expectFile(service, url, content)
  }

  it.each([0, 1000])('take no disk space after a PATCH with a wrong checksum at offset %i', async (offset) => {
    if (offset > 0) await patch(url, 0, content.subarray(0, offset))
    const headers = { ...PATCH_HEADERS, ...wrong, 'Upload-Offset': String(offset) }
    expect((await patchWith(url, headers, content.subarray(offset))).status).toBe(460)
    expect(await spaceOf(url)).toBeLessThanOrEqual(4096 * Math.ceil(offset / 4096))
    await expectToFinish(offset)
  })

  it('take no disk space after a PATCH with a checksum whose connection breaks', async () => {
    const wire = await connect(service.url)
    const { pathname } = new URL(url)
    const headers = { ...PATCH_HEADERS, ...wrong, 'Upload-Offset': 0, 'Content-Length': content.length }
    await wire.send(requestHead('PATCH', pathname, headers), content.subarray(0, MIB))
    await until(async () => (await spaceOf(url)) > 0)
    await wire.cut()
    await until(async () => (await spaceOf(url)) === 0)
    await expectToFinish(0)
  })

  it('take no disk space after a creation, whose upload remains', async () => {
    const headers = { ...PATCH_HEADERS, ...wrong, 'Upload-Length': String(content.length) }
    const refused = await create(service.url, headers, content)
    expect(refused.status).toBe(460)
    url = locationOf(refused, service.url)
    expect(await spaceOf(url)).toBe(0)
    await expectToFinish(0)
  })

  it('take no disk space if their Content-Digest is wrong', async () => {
    const digest = `sha-256=:${createHash('sha256').update('other bytes').digest('base64')}:`
    const draft = { 'Upload-Draft-Interop-Version': '8', 'Content-Type': 'application/partial-upload' }
    const headers = { ...draft, 'Upload-Offset': '0', 'Upload-Complete': '?1', 'Content-Digest': digest }
    expect((await patchWith(url, headers, content)).status).toBeGreaterThanOrEqual(400)
    expect(await spaceOf(url)).toBe(0)
    await expectToFinish(0)
  })

  it('take no disk space if the digest of their file is wrong, and the reported offset remains', async () => {
    url = await createUpload(service.url, content.length, { sha256: '0'.repeat(64) })
    const last = await patch(url, 0, content)
    expect([last.status, last.headers.get('Upload-Offset')]).toEqual([422, String(content.length)])
    await until(async () => (await spaceOf(url)) === 0)
    for (let i = 0; i < 2; i++) {
      expect((await head(url)).status).toBe(422)
      const again = await patch(url, content.length, Buffer.alloc(0))
      expect([again.status, again.headers.get('Upload-Offset')]).toEqual([422, String(content.length)])
      service = await service.restart()
      url = `${service.url}/files/${idOf(url)}`
    }
  })

  it('are not truncated before a chunk in flight', async () => {
    const file = cut(bytesOf(6 * MIB), 2 * MIB)
    await land(service.url, file, 0)
    const body = multipartBody(file.fields(2), file.bytes(2))
    const type = `multipart/form-data; boundary=${BOUNDARY}`
    const wire = await connect(service.url)
    await wire.send(
      requestHead('POST', '/upload/accept', { 'Content-Type': type, 'Content-Length': body.length }),
      body.subarray(0, 1.5 * MIB),
    )
    const name = (await readdir(path.join(service.dataDir, 'incoming'))).find((id) => id !== idOf(url)) ?? ''
    const incoming = path.join(service.dataDir, 'incoming', name)
    await until(async () => (await stat(incoming)).size > 4 * MIB)
    const middle = multipartBody(file.fields(1), file.bytes(1)).subarray(0, -CLOSING.length)
    expect((await post(service.url, [middle, fieldPart('size', '7'), CLOSING])).status).toBe(400)
    expect((await stat(incoming)).size).toBeGreaterThan(4 * MIB)
    await wire.send(body.subarray(1.5 * MIB))
    expect((await wire.answer()).status).toBe(200)
    await land(service.url, file, 1)
    await expectWhole(service, file)
  })

  it('are truncated after the last chunk when a chunk with different bytes is refused', async () => {
    const file = cut(content, MIB / 2)
    const first = await land(service.url, file, 0)
    const other = await sendChunk(service.url, file.fields(0), bytesOf(MIB / 2, 3))
    expect([other.status, (await answerOf(other)).error?.code]).toEqual([409, 'content_differs'])
    expect(await spaceOf(String(first.url))).toBe(MIB / 2)
  })
})
