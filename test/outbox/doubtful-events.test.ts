import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { intentLine } from '../../server/outbox/lines.ts'
import { failCalls } from '../disk/failing-calls.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type Receiver, startReceiver } from '../support/receiver.ts'
import { createUpload, idOf, patch, TUS } from '../support/tus.ts'

const STOPPING = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))

let folder: TemporaryFolder
let layout: Layout
let receiver: Receiver
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  receiver = await startReceiver()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await receiver.close()
  await folder.dispose()
})

async function start(events: string): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path, ...receiver.settings, WEBHOOK_EVENTS: events })
}

/** The last bytes, while a directory of finished files cannot be opened: the rename succeeds, not its sync. */
async function finishBadly(): Promise<string> {
  const url = await createUpload(program.url, 5)
  const fault = await failCalls(program, 'open', 'EMFILE', [layout.files])
  expect((await patch(url, 0, bytesOf(5))).status).toBe(503)
  expect(await fault.end()).toBeGreaterThan(0)
  return url
}

describe('An event whose change threw', () => {
  it('is delivered after a crash if the file was renamed', async () => {
    await start('created,finished')
    const url = await finishBadly()
    // Written to disk with everything that was decided before.
    await createUpload(program.url, 5)
    await receiver.count(2)
    await program.end('SIGKILL')
    await start('created,finished')
    await receiver.count(3)
    expect(receiver.deliveries[2]).toMatchObject({ type: 'upload.finished', upload: idOf(url) })
  })

  it('is delivered once when a later attempt finishes the file', async () => {
    await start('finished')
    const url = await finishBadly()
    expect((await patch(url, 5, bytesOf(0))).status).toBe(204)
    await receiver.count(1)
    await createUpload(program.url, 0)
    await receiver.count(2)
    expect(receiver.deliveries.filter(({ upload }) => upload === idOf(url))).toHaveLength(1)
  })

  it('is never delivered if the upload fails instead', async () => {
    await start('finished,failed')
    const url = await createUpload(program.url, 5)
    const fault = await failCalls(program, 'sync', 'EIO', [layout.files])
    expect((await patch(url, 0, bytesOf(5))).status).toBe(422)
    expect(await fault.end()).toBeGreaterThan(0)
    await receiver.count(1)
    await program.end('SIGKILL')
    await start('finished,failed')
    await createUpload(program.url, 0)
    await receiver.count(2)
    expect(new Set(receiver.deliveries.filter(({ upload }) => upload === idOf(url)).map(({ type }) => type))).toEqual(
      new Set(['upload.failed']),
    )
  })

  it('is delivered when the store can be read again that shows whether it is true', async () => {
    program = await startProgram({ DATA_DIR: folder.path })
    const id = idOf(await createUpload(program.url, 0))
    await program.end('SIGTERM')
    const [, createdAt = ''] = /"createdAt":"([^"]+)"/.exec(await readFile(layout.record(id), 'utf8')) ?? []
    const body = { type: 'upload.finished', data: { id } }
    const event = {
      id: `evt_${'0'.repeat(32)}`,
      type: 'finished',
      upload: id,
      createdAt,
      at: Date.now(),
      body,
    } as const
    await mkdir(layout.outbox)
    await writeFile(path.join(layout.outbox, '000000000001.log'), intentLine(0, event))
    // A directory that cannot be read as a file.
    await rename(layout.record(id), `${layout.record(id)}.aside`)
    await mkdir(layout.record(id))
    await start('finished')
    await createUpload(program.url, 0)
    await receiver.count(1)
    expect(receiver.deliveries[0]?.upload).not.toBe(id)
    await rm(layout.record(id), { recursive: true })
    await rename(`${layout.record(id)}.aside`, layout.record(id))
    await receiver.count(2)
    expect(receiver.deliveries[1]).toMatchObject({ type: 'upload.finished', upload: id })
  })
})

describe('The event of a file', () => {
  it('is delivered after a crash although the file was deleted, which is not reported', async () => {
    const settings = { DATA_DIR: folder.path, ...receiver.settings, WEBHOOK_EVENTS: 'finished' }
    program = await startProgram({ ...settings, STOP_AT: 'remove:tombstone' }, STOPPING)
    receiver.answer(() => undefined)
    const url = await createUpload(program.url, 0)
    await expect(fetch(url, { method: 'DELETE', headers: TUS })).rejects.toThrow()
    const before = receiver.deliveries.length
    await start('finished')
    await receiver.count(before + 1)
    expect(receiver.deliveries[before]).toMatchObject({ type: 'upload.finished', upload: idOf(url) })
  })
})
