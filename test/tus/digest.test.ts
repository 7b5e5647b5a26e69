import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectSentence } from '../support/stored-uploads.ts'
import { create, createUpload, head, idOf, locationOf, PATCH_HEADERS, patch, patchWith } from '../support/tus.ts'

const content = bytesOf(2_500_000)
const digest = (algorithm: string): Buffer => createHash(algorithm).update(content).digest()
let service: TestService

beforeEach(async () => {
  service = await startService()
})
afterEach(() => service.close())

describe('A digest of the whole file in the metadata', () => {
  it.each([
    ['sha256', 'hex'],
    ['sha256', 'base64'],
    ['sha1', 'hex'],
    ['md5', 'base64'],
  ] as const)('finishes the file if it matches: %s in %s', async (algorithm, encoding) => {
    const url = await createUpload(service.url, content.length, { [algorithm]: digest(algorithm).toString(encoding) })
    expect((await patch(url, 0, content.subarray(0, 1_111_111))).status).toBe(204)
    expect((await patch(url, 1_111_111, content.subarray(1_111_111))).status).toBe(204)
    await expectFile(service, url, content)
  })

  it('makes the upload fail if it is wrong, as every HEAD reports', async () => {
    const url = await createUpload(service.url, content.length, { sha256: '0'.repeat(64) })
    const response = await patch(url, 0, content)
    expect(response.status).toBe(422)
    expectSentence(await response.text(), service)
    for (let i = 0; i < 2; i++) {
      const again = `${service.url}/files/${idOf(url)}`
      const reported = await head(again)
      expect(reported.status).toBe(422)
      expect(reported.headers.get('Upload-Error')).toBe('digest_mismatch')
      expect((await fetch(again)).status).toBe(422)
      expect(await readdir(path.join(service.dataDir, 'files'))).toEqual([])
      service = await service.restart()
    }
  })

  it('is verified after a restart in the middle, and with bytes that have a checksum', async () => {
    const begun = await createUpload(service.url, content.length, { sha256: digest('sha256').toString('hex') })
    await patch(begun, 0, content.subarray(0, 500_000))
    service = await service.restart()
    const url = `${service.url}/files/${idOf(begun)}`
    const middle = content.subarray(500_000, 1_000_000)
    const checksum = `md5 ${createHash('md5').update(middle).digest('base64')}`
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': '500000', 'Upload-Checksum': checksum }
    expect((await patchWith(url, headers, middle)).status).toBe(204)
    expect((await patch(url, 1_000_000, content.subarray(1_000_000))).status).toBe(204)
    await expectFile(service, url, content)
  })

  it.each(['undefined', 'null', '', 'xyz', '00', 'z'.repeat(64), '0'.repeat(63)])(
    'is not compared if it cannot be a digest: %j',
    async (text) => {
      const value = Buffer.from(text).toString('base64')
      const metadata = value === '' ? 'md5' : `sha256 ${value},sha1 ${value},md5 ${value}`
      const response = await create(service.url, { 'Upload-Length': '5', 'Upload-Metadata': metadata })
      expect(response.status).toBe(201)
      const url = locationOf(response, service.url)
      expect((await patch(url, 0, content.subarray(0, 5))).status).toBe(204)
      await expectFile(service, url, content.subarray(0, 5))
      expect((await head(url)).headers.get('Upload-Metadata')).toBe(metadata)
    },
  )

  it('is verified even if another value is no valid digest', async () => {
    const url = await createUpload(service.url, 5, { sha256: 'undefined', md5: digest('md5').toString('hex') })
    expect((await patch(url, 0, content.subarray(0, 5))).status).toBe(422)
  })
})
