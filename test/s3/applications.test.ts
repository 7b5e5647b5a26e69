/** What applications learn of files in a bucket. */
import type http from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { createLandfall } from '../../server/landfall.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { create, createUpload, idOf, locationOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const HELLO = Buffer.from('hello')
const call = z.object({ Type: z.string(), Event: z.object({ Upload: z.object({ Storage: z.unknown() }) }) })

let engine: S3Engine
beforeEach(async () => {
  engine = await startS3Engine()
})
afterEach(() => engine.stop())

describe('With STORE=s3, a hook', () => {
  let hooks: StubServer
  let service: TestService
  const storages = new Map<string, unknown>()
  beforeEach(async () => {
    hooks = await startStub(answer)
    const events = 'pre-create,post-create,pre-finish,post-finish,post-terminate'
    service = await startService({ ...engineSettings(engine.location), HOOKS_URL: hooks.url, HOOKS_EVENTS: events })
  })
  afterEach(async () => {
    await service.close()
    await hooks.close()
  })

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { Type, Event } = call.parse(JSON.parse(await text(request)))
    storages.set(Type, Event.Upload.Storage)
    response.setHeader('Content-Type', 'application/json')
    response.end('{}')
  }

  it.each(['of several requests', 'of one request'])(
    'names the object of a file %s once it is finished',
    async (how) => {
      storages.clear()
      const name = { 'Upload-Metadata': `filename ${Buffer.from('a.txt').toString('base64')}` }
      let url: string
      if (how === 'of one request') {
        const whole = { ...name, 'Upload-Length': '5', 'Content-Type': 'application/offset+octet-stream' }
        url = locationOf(await create(service.url, whole, HELLO), service.url)
      } else {
        url = await createUpload(service.url, 5, { filename: 'a.txt' })
        await patch(url, 0, HELLO)
      }
      await until(async () => storages.has('post-finish'))
      await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
      await until(async () => storages.has('post-terminate'))
      const object = { Type: 's3store', Bucket: engine.location.bucket, Key: `files/${idOf(url)}/a.txt` }
      expect(Object.fromEntries(storages)).toEqual({
        'pre-create': null,
        'post-create': null,
        'pre-finish': null,
        'post-finish': object,
        'post-terminate': object,
      })
    },
  )
})

describe('With STORE=s3, a webhook', () => {
  it('names the object of a finished file', async () => {
    const receiver: Receiver = await startReceiver()
    const service = await startService({ ...engineSettings(engine.location), ...receiver.settings })
    const url = await createUpload(service.url, 5, { filename: 'a.txt' })
    await patch(url, 0, HELLO)
    await receiver.count(1)
    const { data } = JSON.parse(receiver.deliveries[0]?.body ?? '')
    expect(data).toMatchObject({ bucket: engine.location.bucket, key: `files/${idOf(url)}/a.txt` })
    expect(data).not.toHaveProperty('path')
    await service.close()
    await receiver.close()
  })
})

describe('With a store in S3, an event of the library', () => {
  let folder: TemporaryFolder
  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(() => folder.dispose())

  it('names the object of a finished file, and so does the upload', async () => {
    const { endpoint, bucket, credentials } = engine.location
    const landfall = await createLandfall({
      dataDir: folder.path,
      store: 's3',
      s3Endpoint: endpoint,
      s3Bucket: bucket,
      s3AccessKeyId: credentials.accessKeyId,
      s3SecretAccessKey: credentials.secretAccessKey,
      secret: 'a secret of thirty-two characters',
      port: 0,
    })
    const objects: unknown[] = []
    for (const type of ['created', 'finished'] as const)
      landfall.events.on(type, ({ upload }) => objects.push(upload.object))
    const url = await createUpload(await landfall.listen(), 5, { filename: 'a.txt' })
    await patch(url, 0, HELLO)
    const object = { bucket, key: `files/${idOf(url)}/a.txt` }
    expect(objects).toEqual([undefined, object])
    expect(await landfall.uploads.get(idOf(url))).toMatchObject({ object, path: undefined })
    await landfall.close()
  })
})
