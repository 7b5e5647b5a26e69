import { text } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import { put, recordOf, storeContract } from '../support/store-contract.ts'
import { Bucket, memoryPort } from './memory-s3.ts'
import { storeOn } from './store-on.ts'

describe('The S3 store on a bucket in memory', () => {
  storeContract(async () => {
    const bucket = new Bucket()
    return storeOn(() => memoryPort(bucket))
  })
})

describe('An upload in S3 of many tiny pieces', () => {
  it('has few objects, and all bytes', async () => {
    const bucket = new Bucket()
    const under = storeOn(() => memoryPort(bucket))
    const upload = await under.store.create(recordOf('tiny', 5000))
    const content = Array.from({ length: 5000 }, (_, i) => String(i % 10)).join('')
    for (let i = 0; i < 5000; i++) await put(upload, i, content.slice(i, i + 1), 'as-received')
    await upload.close()
    const names = [...bucket.objects.keys()].filter((key) => key.startsWith('.landfall/live/tiny/d.'))
    expect(names.length).toBeLessThan(200)
    await under.reopen()
    const found = await under.store.open('tiny')
    if (found.kind !== 'upload') throw new Error(found.kind)
    expect(await text(found.upload.read({ start: 0, end: 5000 }))).toBe(content)
    await found.upload.finish()
    expect(await text(found.upload.read({ start: 0, end: 5000 }))).toBe(content)
  })
})
