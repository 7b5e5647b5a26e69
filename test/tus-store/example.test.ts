import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { Upload } from 'tus-js-client'
import { bytesOf } from '../support/bytes.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/tus-server/server.mjs', import.meta.url))

let folder: TemporaryFolder
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  program = await startProgram({ DATA_DIR: folder.path }, EXAMPLE)
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

it('examples/tus-server receives a file over broken connections, and stops on SIGTERM', async () => {
  const content = bytesOf(3_000_001)
  const proxy = await startFaultyProxy(program.url, 7, 8, 900_000)
  await new Promise<void>((resolve, reject) => {
    const upload = new Upload(content, {
      endpoint: `${proxy.url}/files`,
      retryDelays: Array.from({ length: 100 }, () => 10),
      metadata: { filename: 'video.mp4' },
      onSuccess: () => resolve(),
      onError: reject,
    })
    upload.start()
  })
  expect(proxy.cuts).toBeGreaterThan(2)
  await proxy.close()
  const [id = ''] = await readdir(path.join(folder.path, 'files'))
  expect((await readFile(path.join(folder.path, 'files', id, 'video.mp4'))).equals(content)).toBe(true)
  expect(await program.end('SIGTERM')).toBe(0)
})
