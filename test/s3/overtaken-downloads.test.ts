import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { engineSettings } from '../support/engine-settings.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, patch, TUS } from '../support/tus.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

let engine: S3Engine
let proxy: FaultProxy
let service: TestService
beforeAll(async () => {
  engine = await startS3Engine()
  proxy = await startFaultProxy(engine.location.endpoint)
  service = await startService(engineSettings({ ...engine.location, endpoint: proxy.url }))
})
afterAll(async () => {
  await service.close()
  await proxy.close()
  await engine.stop()
})

describe('GET of a file in S3', () => {
  it('is answered with 410 when a DELETE overtakes it', async () => {
    const hello = Buffer.from('hello')
    const url = await createUpload(service.url, hello.length)
    await patch(url, 0, hello)
    let isDeleted = false
    const begun = new Promise<void>((resolve) => {
      proxy.disturb({
        calls: ['GetObject'],
        key: /^files\//,
        fault: () => {
          resolve()
          return isDeleted ? undefined : { kind: 'resetBefore' }
        },
      })
    })
    const download = fetch(url)
    await begun
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    isDeleted = true
    const answer = await download
    expect([answer.status, answer.headers.get('Upload-Error')]).toEqual([410, 'gone'])
  })
})
