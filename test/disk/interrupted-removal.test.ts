import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, head, idOf, patch, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { failCalls } from './failing-calls.ts'

const content = bytesOf(10_000)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

async function begun(settings: Readonly<Record<string, string>>): Promise<string> {
  program = await startProgram({ DATA_DIR: folder.path, ...settings })
  const url = await createUpload(program.url, content.length)
  expect((await patch(url, 0, content.subarray(0, 4000))).status).toBe(204)
  return url
}

/** Expects no byte to be accepted that the completed removal would delete. */
async function expectGone(url: string): Promise<void> {
  expect((await head(url)).status).toBe(404)
  expect((await patch(url, 4000, content.subarray(4000))).status).toBe(410)
}

/** Expects the next request for the upload, once the disk works again, to complete the removal. */
async function expectToBeEnded(url: string): Promise<void> {
  await expectGone(url)
  for (const place of [layout.incoming, layout.files, layout.leaving]) expect(await readdir(place)).toEqual([])
  expect(await readdir(layout.gone)).toEqual([idOf(url)])
}

describe('A removal that the disk interrupts', () => {
  it.each(['remove', 'rename'] as const)('makes the upload gone at once (%s)', async (call) => {
    const url = await begun({})
    const fault = await failCalls(program, call, 'EIO')
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(503)
    await expectGone(url)
    expect(await fault.end()).toBeGreaterThan(0)
    await expectToBeEnded(url)
  })

  it('makes the upload gone also when it expires', async () => {
    const url = await begun({ EXPIRES_AFTER: '1' })
    const fault = await failCalls(program, 'remove', 'EIO', [layout.incomingFile(idOf(url))])
    await until(async () => (await fault.failed()) > 0)
    await expectGone(url)
    expect(await fault.end()).toBeGreaterThan(0)
    await expectToBeEnded(url)
  })
})
