import { text } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import type { StoredUpload } from '../../server/core/store.ts'
import { put, recordOf } from '../support/store-contract.ts'
import { until } from '../support/wire.ts'
import { Bucket, memoryPort } from './memory-s3.ts'
import { storeOn } from './store-on.ts'

const LENGTH = 20 * 2 ** 20

/** An upload of three cells, the first of which is a part by then. */
async function composed(bucket: Bucket): Promise<{ upload: StoredUpload; content: string }> {
  const content = 'abcdefghij'.repeat(LENGTH / 10)
  const upload = await storeOn(() => memoryPort(bucket)).store.create(recordOf('file', LENGTH))
  await put(upload, 0, content, 'as-received')
  await until(async () => [...bucket.multiparts.values()].some(({ parts }) => parts.size > 0))
  // Its answer is on its way.
  await new Promise(setImmediate)
  return { upload, content }
}

describe('A file that is composed in S3', () => {
  it('has the right bytes although a part was replaced from outside', async () => {
    const bucket = new Bucket()
    const { upload, content } = await composed(bucket)
    for (const { parts } of bucket.multiparts.values())
      parts.set(1, { etag: 'other', body: Buffer.alloc(8 * 2 ** 20, 'x') })
    expect(bucket.multiparts.size).toBe(1)
    await upload.finish()
    expect((await text(upload.read({ start: 0, end: LENGTH }))) === content).toBe(true)
    expect(bucket.multiparts.size).toBe(0)
  })

  it('has the right bytes although its multipart upload was aborted from outside', async () => {
    const bucket = new Bucket()
    const { upload, content } = await composed(bucket)
    bucket.multiparts.clear()
    await upload.finish()
    expect((await text(upload.read({ start: 0, end: LENGTH }))) === content).toBe(true)
  })
})
