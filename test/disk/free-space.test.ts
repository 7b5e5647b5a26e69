import path from 'node:path'
import { afterEach, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, offsetOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

/** Starts the program on a disk that only it sees, of 40 MiB, with this many inodes. */
async function startOnSmallDisk(inodes: number, settings: Readonly<Record<string, string>>): Promise<void> {
  folder = await temporaryFolder()
  const namespace = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm']
  const mount = `mount -t tmpfs -o size=40m,nr_inodes=${inodes} tmpfs "$1" && shift && exec "$@"`
  const within = [...namespace, 'sh', '-c', mount, 'sh', folder.path]
  program = await startProgram({ DATA_DIR: path.join(folder.path, 'data'), ...settings }, undefined, within)
}

it('A tenth of a small disk stays free: an upload ends before, keeps its bytes, and no other begins', async () => {
  await startOnSmallDisk(10_000, { MIN_FREE_INODES: '0' })
  const url = await createUpload(program.url, 50 * MIB)
  const refused = await patch(url, 0, bytesOf(50 * MIB))
  expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([507, 'no_space'])
  const offset = await offsetOf(url)
  expect(offset).toBeGreaterThan(20 * MIB)
  expect(offset).toBeLessThanOrEqual(36 * MIB)
  // Less than one write fits at the end.
  await until(async () => (await patch(url, await offsetOf(url), bytesOf(MIB))).status === 507)
  expect(await offsetOf(url)).toBeLessThanOrEqual(36 * MIB)
  // The operator reads it once, not with each request.
  expect(program.errors().match(/Uploads are refused: less than MIN_FREE/g)).toHaveLength(1)
})

it('Inodes stay free: creations fail before the last one is used, and leave nothing', async () => {
  await startOnSmallDisk(400, { MIN_FREE: '0', MIN_FREE_INODES: '40' })
  let refused: Response | undefined
  let created = 0
  await until(async () => {
    const response = await create(program.url, { 'Upload-Length': '0' })
    if (response.status === 507) refused = response
    else created += 1
    return refused !== undefined
  })
  expect(refused?.headers.get('Upload-Error')).toBe('no_space')
  expect(created).toBeGreaterThan(20)
  expect((await fetch(`${program.url}/healthz`)).status).toBe(200)
})
