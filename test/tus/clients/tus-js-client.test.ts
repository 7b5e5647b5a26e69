import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Upload, type UploadOptions } from 'tus-js-client'
import { bytesOf } from '../../support/bytes.ts'
import { type FaultyProxy, startFaultyProxy } from '../../support/faulty-proxy.ts'
import { startService, type TestService } from '../../support/service.ts'
import { expectFile } from '../../support/stored-uploads.ts'
import { head, idOf } from '../../support/tus.ts'

const content = bytesOf(12_000_001)
let service: TestService
let proxy: FaultyProxy | undefined
afterEach(async () => {
  await proxy?.close()
  proxy = undefined
  await service.close()
})

type Options = Partial<UploadOptions>
const OPTIONS: Readonly<Record<string, Options>> = {
  'as it comes': {},
  chunkSize: { chunkSize: 1_000_000 },
  parallelUploads: { parallelUploads: 4 },
  'parallelUploads, chunkSize': { parallelUploads: 4, chunkSize: 700_000 },
  uploadDataDuringCreation: { uploadDataDuringCreation: true },
  'uploadDataDuringCreation, chunkSize': { uploadDataDuringCreation: true, chunkSize: 3_000_000 },
  overridePatchMethod: { overridePatchMethod: true },
  'overridePatchMethod, parallelUploads': { overridePatchMethod: true, parallelUploads: 3 },
}
const RETRIES = Array.from({ length: 60 }, (_, i) => Math.min(i * 5, 50))

/** Uploads the content through `base`. @returns the upload when it has ended. */
function upload(base: string, options: Options, input: Buffer | Readable = content): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(input, {
      endpoint: `${base}/files`,
      retryDelays: RETRIES,
      metadata: { filename: 'a.bin' },
      onSuccess: () => resolve(upload),
      onError: reject,
      ...options,
    })
    upload.start()
  })
}

/** The URL of the upload at the service itself. */
const direct = (url: string | null): string => `${service.url}/files/${idOf(url ?? '')}`

describe('tus-js-client', () => {
  it.each(Object.entries(OPTIONS))('uploads: %s', async (_, options) => {
    service = await startService()
    await expectFile(service, direct((await upload(service.url, options)).url), content)
  })

  it.each(
    Object.entries(OPTIONS).flatMap(([name, options]) => [1, 2, 3].map((seed) => [name, seed, options] as const)),
  )('uploads over a connection that breaks at random places: %s, seed %d', async (_, seed, options) => {
    service = await startService()
    proxy = await startFaultyProxy(service.url, seed, 12, 4_000_000)
    await expectFile(service, direct((await upload(proxy.url, options)).url), content)
    expect(proxy.cuts).toBeGreaterThan(3)
  })

  it('uploads a stream whose length it does not know', async () => {
    service = await startService()
    const pieces = Array.from({ length: 13 }, (_, i) => content.subarray(i * 1_000_000, (i + 1) * 1_000_000))
    const options = { uploadLengthDeferred: true, chunkSize: 800_000 }
    await expectFile(service, direct((await upload(service.url, options, Readable.from(pieces))).url), content)
  })

  it.each(Object.entries(OPTIONS))('deletes everything that it was asked to terminate: %s', async (_, options) => {
    service = await startService()
    const ended = await upload(service.url, options)
    await ended.abort(true)
    expect((await head(direct(ended.url))).status).toBe(404)
  })
})
