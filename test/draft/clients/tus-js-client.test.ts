import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Upload, type UploadOptions } from 'tus-js-client'
import { bytesOf } from '../../support/bytes.ts'
import { stateOf } from '../../support/draft.ts'
import { type FaultyProxy, startFaultyProxy } from '../../support/faulty-proxy.ts'
import { type Landfall, startLandfall } from '../../support/restartable-program.ts'
import { startService, type TestService } from '../../support/service.ts'
import { expectFile, expectNoBytes } from '../../support/stored-uploads.ts'
import { idOf } from '../../support/tus.ts'

const content = bytesOf(1_400_007)
const RETRIES = Array.from({ length: 60 }, (_, i) => Math.min(i * 5, 100))

/** Options that the client's types lack. */
interface Protocol {
  readonly protocol?: 'ietf-draft-03' | 'ietf-draft-05'
}
type Options = Partial<UploadOptions> & Protocol
const WAYS: Readonly<Record<string, Options>> = {
  'as it comes': {},
  chunkSize: { chunkSize: 400_000 },
  'chunkSize that divides the size': { chunkSize: content.length / 7 },
  uploadDataDuringCreation: { uploadDataDuringCreation: true },
  'uploadDataDuringCreation, chunkSize': { uploadDataDuringCreation: true, chunkSize: 300_000 },
  overridePatchMethod: { overridePatchMethod: true },
}

/** Uploads through `base`. @returns the upload when it has ended. */
function upload(base: string, options: Options, input: Buffer | Readable = content): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const upload: Upload = new Upload(input, {
      endpoint: `${base}/files`,
      retryDelays: RETRIES,
      metadata: { filename: 'a.bin', filetype: 'text/x-test' },
      onSuccess: () => resolve(upload),
      onError: reject,
      ...options,
    })
    upload.start()
  })
}

/** The events of the client's upload, for the test. */
function watched(base: string, options: Options): { readonly upload: Upload; readonly ended: Promise<void> } {
  let end: { resolve(): void; reject(error: Error): void } | undefined
  const ended = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  const upload = new Upload(content, {
    endpoint: `${base}/files`,
    retryDelays: Array.from({ length: 100 }, () => 100),
    onSuccess: () => end?.resolve(),
    onError: (error) => end?.reject(error),
    ...options,
  })
  return { upload, ended }
}

describe.each(['ietf-draft-03', 'ietf-draft-05'] as const)('tus-js-client with %s', (protocol) => {
  let service: TestService
  let proxy: FaultyProxy | undefined
  beforeEach(async () => {
    service = await startService()
  })
  afterEach(async () => {
    await proxy?.close()
    proxy = undefined
    await service.close()
  })
  const direct = (url: string | null): string => `${service.url}/files/${idOf(url ?? '')}`

  it.each(Object.entries(WAYS))('uploads: %s', async (_, options) => {
    const url = direct((await upload(service.url, { protocol, ...options })).url)
    await expectFile(service, url, content)
    expect(await readdir(path.join(service.dataDir, 'files', idOf(url)))).toEqual(['a.bin'])
    expect((await fetch(`${url}?inline=1`)).headers.get('Content-Disposition')).toContain('a.bin')
  })

  it.each(Object.entries(WAYS))('uploads over a connection that breaks at random places: %s', async (_, options) => {
    proxy = await startFaultyProxy(service.url, 3, 5, 500_000)
    const url = direct((await upload(proxy.url, { protocol, ...options })).url)
    await expectFile(service, url, content)
    expect(proxy.cuts).toBeGreaterThan(1)
  })

  it.each([800_000, 1_000_000])(
    'uploads a stream whose length it does not know, %d bytes at a time',
    async (chunkSize) => {
      const whole = content.subarray(0, 1_400_000)
      const pieces = Array.from({ length: 4 }, (_, i) => whole.subarray(i * 350_000, (i + 1) * 350_000))
      const options = { protocol, uploadLengthDeferred: true, chunkSize }
      await expectFile(service, direct((await upload(service.url, options, Readable.from(pieces))).url), whole)
    },
  )

  it.each<[string, Options]>([
    ['as it comes', {}],
    ['uploadDataDuringCreation', { uploadDataDuringCreation: true }],
  ])('uploads an empty file: %s', async (_, options) => {
    const { url } = await upload(service.url, { protocol, ...options }, Buffer.alloc(0))
    await expectFile(service, direct(url), Buffer.alloc(0))
  })

  it('resumes after it was stopped', async () => {
    const { upload, ended } = watched(service.url, {
      protocol,
      chunkSize: 250_000,
      onChunkComplete: (_, accepted) => {
        if (accepted !== 500_000) return
        void upload.abort().then(() => upload.start())
      },
    })
    upload.start()
    await ended
    await expectFile(service, direct(upload.url), content)
  })

  it('deletes an upload that it has begun', async () => {
    const stopped = await new Promise<Upload>((resolve) => {
      const { upload } = watched(service.url, {
        protocol,
        chunkSize: 250_000,
        onChunkComplete: () => void upload.abort(true).then(() => resolve(upload)),
      })
      upload.start()
    })
    expect((await stateOf(direct(stopped.url)))[0]).toBeNull()
    await expectNoBytes(service, direct(stopped.url))
  })

  it('cannot delete a finished file', async () => {
    const { url } = await upload(service.url, { protocol })
    const options: Options = { protocol }
    await expect(Upload.terminate(url ?? '', options)).rejects.toThrow('400')
    await expectFile(service, direct(url), content)
  })
})

describe.each(['ietf-draft-03', 'ietf-draft-05'] as const)(
  'tus-js-client with %s, after a kill of the program,',
  (protocol) => {
    let landfall: Landfall
    beforeEach(async () => {
      landfall = await startLandfall()
    })
    afterEach(() => landfall.dispose())

    it('resumes when the program is restarted', async () => {
      const { upload, ended } = watched(landfall.url, {
        protocol,
        chunkSize: 250_000,
        onChunkComplete: (_, accepted) => {
          if (accepted === 750_000) void landfall.kill().then(() => landfall.startAgain())
        },
      })
      upload.start()
      await ended
      const folder = path.join(landfall.dataDir, 'files', idOf(upload.url ?? ''))
      const [name = ''] = await readdir(folder)
      expect((await readFile(path.join(folder, name))).equals(content)).toBe(true)
    })
  },
)
