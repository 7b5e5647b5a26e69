import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { type FailingCalls, failCalls } from '../disk/failing-calls.ts'
import { bytesOf, MIB } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { create, createUpload, idOf, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'

const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }

let folder: TemporaryFolder
let layout: Layout
let receiver: Receiver
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  receiver = await startReceiver()
  program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings })
})
afterEach(async () => {
  await program.end('SIGKILL')
  await receiver.close()
  await folder.dispose()
})

/** Lets every write of an event fail, as on a full disk, or every sync, as where blocks are allocated late. */
async function fillOutbox(call: 'write' | 'sync' = 'write'): Promise<FailingCalls> {
  // The current file of events exists from the first one on.
  await createUpload(program.url, 0)
  await receiver.count(1)
  const names = await readdir(layout.outbox)
  return failCalls(
    program,
    call,
    'ENOSPC',
    names.map((name) => path.join(layout.outbox, name)),
  )
}

describe('A disk without room for an event', () => {
  it('refuses the last bytes of a file, and finishes it when there is room', async () => {
    const fault = await fillOutbox()
    const url = await createUpload(program.url, 5)
    const refused = await patch(url, 0, bytesOf(5))
    expect([refused.status, refused.headers.get('Upload-Error')]).toEqual([507, 'no_space'])
    expect((await fetch(url)).status).toBe(507)
    expect(await readdir(layout.finishedFolder(idOf(url)))).toEqual([])
    expect(await fault.end()).toBeGreaterThan(0)
    expect((await patch(url, 5, bytesOf(0))).status).toBe(204)
    await receiver.count(2)
    expect(receiver.deliveries[1]).toMatchObject({ type: 'upload.finished', upload: idOf(url) })
  })

  it('leaves a file unfinished over a kill, and the next start finishes it with its event', async () => {
    const fault = await fillOutbox('sync')
    const url = await createUpload(program.url, 5)
    expect((await patch(url, 0, bytesOf(5))).status).toBe(507)
    expect(await readdir(layout.finishedFolder(idOf(url)))).toEqual([])
    await program.end('SIGKILL')
    expect(await fault.end()).toBeGreaterThan(0)
    program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings })
    await receiver.count(2)
    expect(receiver.deliveries[1]).toMatchObject({ type: 'upload.finished', upload: idOf(url) })
    expect(await readdir(layout.finishedFolder(idOf(url)))).toEqual(['file'])
  })

  it('refuses a creation that is to be reported, and leaves nothing of it', async () => {
    await program.end('SIGTERM')
    const settings = { DATA_DIR: folder.path, ...receiver.settings, WEBHOOK_EVENTS: 'created' }
    program = await startProgram(settings)
    const fault = await fillOutbox()
    const before = await readdir(layout.incoming)
    expect((await create(program.url, { 'Upload-Length': '5' })).status).toBe(507)
    expect(await readdir(layout.incoming)).toEqual(before)
    expect(await fault.end()).toBeGreaterThan(0)
    expect((await create(program.url, { 'Upload-Length': '5' })).status).toBe(201)
    await receiver.count(2)
    expect(receiver.types).toEqual(['upload.created', 'upload.created'])
  })

  it('refuses a small file that comes with its creation, and leaves nothing of it', async () => {
    const fault = await fillOutbox()
    const before = await readdir(layout.files)
    const refused = await create(program.url, { 'Upload-Length': '5', ...TYPE }, 'hello')
    expect(refused.status).toBe(507)
    expect(await readdir(layout.files)).toEqual(before)
    expect(await fault.end()).toBeGreaterThan(0)
    expect((await create(program.url, { 'Upload-Length': '5', ...TYPE }, 'hello')).status).toBe(201)
    await receiver.count(2)
    expect(receiver.types).toEqual(['upload.finished', 'upload.finished'])
  })

  it('permits a deletion, which makes room, and reports it then', async () => {
    await program.end('SIGTERM')
    const namespace = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm']
    const small = 'mount -t tmpfs -o size=24m tmpfs "$1" && shift && exec "$@"'
    const settings = { DATA_DIR: path.join(folder.path, 'data'), MIN_FREE: '0', MIN_FREE_INODES: '0' }
    const within = [...namespace, 'sh', '-c', small, 'sh', folder.path]
    program = await startProgram({ ...settings, ...receiver.settings }, undefined, within)
    // Its event is longer than what is left in any block.
    const url = await createUpload(program.url, 24 * MIB, { filename: 'a.bin', note: 'n'.repeat(6_000) })
    expect((await patch(url, 0, bytesOf(24 * MIB))).status).toBe(507)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    await receiver.count(1)
    expect(receiver.deliveries[0]).toMatchObject({ type: 'upload.deleted', upload: idOf(url) })
  })
})
