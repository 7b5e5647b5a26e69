import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { type Clamd, SIGNATURE, startClamd } from '../support/clamd.ts'
import { type Example, startExample } from '../support/example.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { createUpload, patch } from '../support/tus.ts'

let clamd: Clamd
let example: Example
let service: TestService
beforeAll(async () => {
  clamd = await startClamd()
})
afterAll(() => clamd.stop())
afterEach(async () => {
  await service.close()
  await example.dispose()
})

async function open(address: string): Promise<void> {
  example = await startExample('clamav-hook', { variables: { CLAMD: address } })
  service = await startService({ HOOKS_URL: example.url, HOOKS_EVENTS: 'pre-finish', HOOKS_RETRIES: '0' })
}

describe('The example clamav-hook', () => {
  it('passes files without malware', async () => {
    await open(`127.0.0.1:${clamd.port}`)
    const content = Buffer.alloc(900_000, 'clean ')
    const url = await createUpload(service.url, content.length)
    expect((await patch(url, 0, content)).status).toBe(204)
    await expectFile(service, url, content)
    await expectFile(service, await createUpload(service.url, 0), Buffer.alloc(0))
    expect(await example.program.end('SIGTERM')).toBe(0)
  })

  it('rejects a file with malware, wherever that is', async () => {
    await open(clamd.socket)
    const content = Buffer.alloc(900_000, 'clean ')
    content.write(SIGNATURE, 899_000)
    const url = await createUpload(service.url, content.length)
    const response = await patch(url, 0, content)
    expect([response.status, await response.text()]).toEqual([422, 'This file contains malware.\n'])
    expect((await fetch(url)).status).toBe(422)
  })

  it('keeps files pending without clamd', async () => {
    await open('/no/clamd')
    const url = await createUpload(service.url, 5)
    await patch(url, 0, Buffer.from('hello'))
    expect((await fetch(url)).status).toBe(409)
    expect(example.program.errors()).toContain('ENOENT')
  })
})
