import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { engineSettings } from '../support/engine-settings.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { until } from '../support/wire.ts'
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

async function readiness(): Promise<string> {
  const response = await fetch(`${service.url}/readyz`)
  return `${response.status} ${(await response.text()).trim()}`
}

describe('/readyz', () => {
  it('reports 503 while the bucket cannot be used, and 200 again afterwards', async () => {
    const restore = proxy.disturb({
      calls: ['HeadObject'],
      fault: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    await until(async () => (await readiness()) === '503 storage unreachable')
    restore()
    await until(async () => (await readiness()) === '200 ready')
  })

  it('asks the bucket once for many requests', async () => {
    proxy.forget()
    for (let i = 0; i < 100; i++) expect(await readiness()).toBe('200 ready')
    expect(proxy.count('HeadObject')).toBeLessThanOrEqual(1)
  })
})
