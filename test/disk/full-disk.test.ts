import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { expectRefusal, land } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, locationOf, offsetOf, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'

const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }
/** A disk of 24 MiB that only the program sees; another file occupies 18 MiB. */
const SMALL_DISK = 'mount -t tmpfs -o size=24m tmpfs "$1" && head -c 18m /dev/zero > "$1/ballast" && shift && exec "$@"'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
/** The disk, as the program sees it. */
let disk: string
beforeEach(async () => {
  folder = await temporaryFolder()
  const namespace = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm']
  const within = [...namespace, 'sh', '-c', SMALL_DISK, 'sh', folder.path]
  const settings = { DATA_DIR: path.join(folder.path, 'data'), MIN_FREE: '0', MIN_FREE_INODES: '0' }
  program = await startProgram(settings, undefined, within)
  disk = `/proc/${program.process.pid}/root${folder.path}`
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

function makeRoom(): Promise<void> {
  return rm(path.join(disk, 'ballast'))
}

async function expectDownload(url: string, content: Buffer): Promise<void> {
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content)).toBe(true)
}

describe('A full disk', () => {
  it('refuses bytes of a tus upload with 507, keeps the stored ones, and accepts more when there is room', async () => {
    const content = bytesOf(12 * MIB)
    const url = await createUpload(program.url, content.length)
    const refused = await patch(url, 0, content)
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([507, 'no_space'])
    const offset = await offsetOf(url)
    expect(offset).toBeGreaterThan(4 * MIB)
    expect(offset).toBeLessThan(content.length)
    expect((await fetch(`${program.url}/healthz`)).status).toBe(200)
    await makeRoom()
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
    await expectDownload(url, content)
  })

  it('leaves nothing of a small file that does not fit at its creation', async () => {
    const filler = await createUpload(program.url, 12 * MIB)
    expect((await patch(filler, 0, bytesOf(12 * MIB))).status).toBe(507)
    const before = await readdir(path.join(disk, 'data'), { recursive: true })
    const small = { 'Upload-Length': '50000', ...TYPE }
    const refused = await create(program.url, small, bytesOf(50_000))
    expect(refused.status).toBe(507)
    expect((await readdir(path.join(disk, 'data'), { recursive: true })).sort()).toEqual(before.sort())
    await makeRoom()
    const taken = await create(program.url, small, bytesOf(50_000))
    expect(taken.status).toBe(201)
    await expectDownload(locationOf(taken, program.url), bytesOf(50_000))
  })

  it('allows the removal of an upload, which makes room for another', async () => {
    const filler = await createUpload(program.url, 12 * MIB)
    const content = bytesOf(3 * MIB)
    const url = await createUpload(program.url, content.length)
    expect((await patch(filler, 0, bytesOf(12 * MIB))).status).toBe(507)
    expect((await patch(url, 0, content)).status).toBe(507)
    expect((await fetch(filler, { method: 'DELETE', headers: TUS })).status).toBe(204)
    const offset = await offsetOf(url)
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
    await expectDownload(url, content)
  })

  it('refuses a WebUploader chunk with a status on which the page sends it again', async () => {
    const content = bytesOf(12 * MIB)
    const file = cut(content, 4 * MIB)
    await land(program.url, file, 0)
    const refused = await sendChunk(program.url, file.fields(1), file.bytes(1))
    await expectRefusal(refused, 409, 'no_space')
    await makeRoom()
    await land(program.url, file, 2)
    const last = await land(program.url, file, 1)
    expect(last.finished).toBe(true)
    await expectDownload(new URL(last.url, program.url).href, content)
  })
})
