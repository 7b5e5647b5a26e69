import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { connect } from '../support/wire.ts'

let service: TestService

beforeAll(async () => {
  service = await startService()
})
afterAll(() => service.close())

describe('A finished file that was deleted on the disk', () => {
  it('makes a repeated chunk fail, and nothing else', async () => {
    const file = cut(bytesOf(1_000), 10_000, { name: 'gone.bin' })
    const { id, url } = await answerOf(await sendChunk(service.url, file.common, file.content))
    await rm(path.join(service.dataDir, 'files', String(id), 'gone.bin'))
    const wire = await connect(service.url)
    const query = new URLSearchParams(
      Object.entries(file.common).map(([name, value]): [string, string] => [name, `${value}`]),
    )
    // Its head alone: the stored bytes are looked for before the first byte of the body has come.
    await wire.send(`POST /upload/accept?${query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`)
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    await wire.send(file.content)
    expect((await wire.answer()).status).toBe(409)
    expect((await fetch(`${service.url}${url}`)).status).toBe(503)
    await wire.cut()
  })
})
