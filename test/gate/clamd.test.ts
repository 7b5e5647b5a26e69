/** A real clamd in front of the files. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { ClamdGate } from '../../server/gate/clamd.ts'
import { type Clamd, SIGNATURE, startClamd } from '../support/clamd.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { createUpload, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

let clamd: Clamd
let service: TestService | undefined

beforeAll(async () => {
  clamd = await startClamd({ maxBytes: 1_000_000 })
})

afterAll(() => clamd.stop())

afterEach(async () => {
  await service?.close()
  service = undefined
})

const upload = async (
  service: TestService,
  content: Buffer<ArrayBuffer>,
): Promise<{ url: string; response: Response }> => {
  const url = await createUpload(service.url, content.length)
  return { url, response: await patch(url, 0, content) }
}

describe.each(['socket', 'port'])('clamd by its %s', (way) => {
  const address = (): string => (way === 'socket' ? clamd.socket : `127.0.0.1:${clamd.port}`)

  it('passes a clean file', async () => {
    service = await startService({ SCAN_CLAMD: address() })
    const content = Buffer.alloc(900_000, 'clean ')
    const { url, response } = await upload(service, content)
    expect(response.status).toBe(204)
    await expectFile(service, url, content)
  })

  it('rejects a file with its signature, wherever that is', async () => {
    service = await startService({ SCAN_CLAMD: address() })
    const content = Buffer.alloc(900_000, 'clean ')
    content.write(SIGNATURE, 899_000)
    const { url, response } = await upload(service, content)
    expect([response.status, await response.text()]).toEqual([422, 'This file did not pass the security scan.\n'])
    expect((await fetch(url)).status).toBe(422)
  })
})

describe('A file beyond StreamMaxLength', () => {
  it('has no verdict, and the reason names the setting', async () => {
    const content = Buffer.alloc(100_000, 'x')
    const file = {
      ...{ id: 'id', name: 'large.bin', length: 8_000_000, declaredType: undefined, owner: undefined, path: undefined },
      read: async function* () {
        for (let i = 0; i < 80; i += 1) yield content
      },
    }
    const scan = new ClamdGate({ path: clamd.socket }).inspect(file, new AbortController().signal)
    await expect(scan).rejects.toThrow(/larger than .*StreamMaxLength/)
  })

  it('stays pending', async () => {
    service = await startService({ SCAN_CLAMD: clamd.socket })
    const { url, response } = await upload(service, Buffer.alloc(8_000_000, 'x'))
    expect(response.status).toBe(204)
    expect((await fetch(url)).status).toBe(409)
  })
})

describe('A file while clamd is away', () => {
  it('stays pending, and becomes visible afterwards', async () => {
    const other = await startClamd()
    service = await startService({ SCAN_CLAMD: `127.0.0.1:${other.port}` })
    await other.stop()
    const { url, response } = await upload(service, Buffer.from('clean'))
    expect([response.status, (await fetch(url)).status]).toEqual([204, 409])
    const again = await startClamd({ port: other.port })
    try {
      await until(async () => (await fetch(url)).status === 200)
    } finally {
      await again.stop()
    }
  })
})
