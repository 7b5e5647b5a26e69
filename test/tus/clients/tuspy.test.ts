import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../../support/bytes.ts'
import { startFaultyProxy } from '../../support/faulty-proxy.ts'
import { startService, type TestService } from '../../support/service.ts'
import { expectFile } from '../../support/stored-uploads.ts'
import { idOf } from '../../support/tus.ts'

/** Where `npm test` installs it. */
const TUSPY = fileURLToPath(new URL('../../../node_modules/.cache/tuspy', import.meta.url))
const SCRIPT = fileURLToPath(new URL('upload.py', import.meta.url))

const content = bytesOf(5_000_001)
let service: TestService

async function upload(base: string, options: Readonly<Record<string, unknown>>): Promise<string> {
  const file = path.join(service.dataDir, 'a.bin')
  await writeFile(file, content)
  const { stdout } = await promisify(execFile)('python3', [SCRIPT, `${base}/files`, file, JSON.stringify(options)], {
    env: { PATH: process.env['PATH'] ?? '', PYTHONPATH: TUSPY, NO_PROXY: '127.0.0.1' },
  })
  return `${service.url}/files/${idOf(stdout.trim())}`
}

const OPTIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'at once': {},
  'in chunks': { chunk_size: 700_000 },
  'in chunks with checksums': { chunk_size: 700_000, upload_checksum: true },
}

describe('tuspy', () => {
  if (!existsSync(TUSPY)) {
    it.todo(`was not tested: it needs Python. Then: python3 -m pip install --target ${TUSPY} tuspy`)
    return
  }
  afterEach(() => service.close())

  it.each(Object.entries(OPTIONS))('uploads %s', async (_, options) => {
    service = await startService()
    await expectFile(service, await upload(service.url, options), content)
  })

  it.each(Object.entries(OPTIONS))('uploads over a connection that breaks at random places: %s', async (_, options) => {
    service = await startService()
    const proxy = await startFaultyProxy(service.url, 5, 8, 2_000_000)
    try {
      await expectFile(service, await upload(proxy.url, options), content)
      expect(proxy.cuts).toBeGreaterThan(1)
    } finally {
      await proxy.close()
    }
  })
})
