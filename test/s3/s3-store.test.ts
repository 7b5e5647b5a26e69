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

describe('A file in S3', () => {
  it('is gone for a reader who found it before another node removed it', async () => {
    const bucket = new Bucket()
    const [here, there] = [storeOn(() => memoryPort(bucket)), storeOn(() => memoryPort(bucket))]
    const file = await here.store.createFinished(recordOf('away', 5), [Buffer.from('hello')])
    await file.confirm()
    const found = await there.store.open('away')
    if (found.kind !== 'upload') throw new Error(found.kind)
    await found.upload.remove('deleted')
    await expect(text(file.read({ start: 0, end: 5 }))).rejects.toMatchObject({ code: 'gone' })
    expect(file.removed).toBe(true)
  })

  it('is unreadable, not gone, when only its object is missing', async () => {
    const bucket = new Bucket()
    const { store } = storeOn(() => memoryPort(bucket))
    const file = await store.createFinished(recordOf('lost', 5), [Buffer.from('hello')])
    bucket.objects.delete('files/lost/a.txt')
    await expect(text(file.read({ start: 0, end: 5 }))).rejects.toMatchObject({ code: 'storage_error' })
  })
})
