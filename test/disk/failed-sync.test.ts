import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { openFiles } from '../support/open-files.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, head, idOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { OPERATIONS, type OperationName, type Situation } from './client-operations.ts'
import { failCalls } from './failing-calls.ts'

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

async function start(sync: string): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path, SYNC: sync })
}

/** Which syncs fail, by the synced files; none for all. */
const WHERE: Readonly<Record<string, (id: string) => readonly string[]>> = {
  everywhere: () => [],
  'of the bytes': (id) => [layout.incomingFile(id)],
  'of the record': (id) => [layout.record(id)],
  'of the directory of finished files': () => [layout.files],
  'of the journal': (id) => [layout.journal(id)],
}

/** Expects every request, also after a restart, to report the upload as failed. */
async function expectFailed(url: string): Promise<void> {
  const reported = await head(url)
  expect([reported.status, reported.headers.get('Upload-Error')]).toEqual([422, 'sync_failed'])
  expect((await fetch(url)).status).toBe(422)
}

const LAST: readonly [string, OperationName, keyof typeof WHERE][] = [
  ['finish', 'the last bytes', 'everywhere'],
  ['finish', 'the last bytes', 'of the bytes'],
  ['finish', 'the last bytes', 'of the record'],
  ['finish', 'the last bytes', 'of the directory of finished files'],
  ['finish', 'the last chunk', 'everywhere'],
  ['finish', 'the last chunk', 'of the bytes'],
  ['always', 'bytes in the middle', 'everywhere'],
  ['always', 'bytes in the middle', 'of the bytes'],
  ['always', 'bytes in the middle', 'of the journal'],
  ['always', 'a chunk', 'everywhere'],
  ['always', 'a chunk', 'of the journal'],
]

describe('A failed sync', () => {
  it.each(LAST)('is final: SYNC=%s, %s, sync %s', async (sync, name, where) => {
    await start(sync)
    const { url = '', ask }: Situation = await OPERATIONS[name](program.url)
    const fault = await failCalls(program, 'sync', 'EIO', WHERE[where]?.(idOf(url)))
    const refused = await ask()
    expect(refused.status).toBe(/chunk/.test(name) ? 409 : 422)
    expect(await refused.text()).toContain('could not keep the bytes')
    expect(await fault.end()).toBeGreaterThan(0)
    await expectFailed(url)
    await program.end('SIGKILL')
    await start(sync)
    await expectFailed(new URL(new URL(url).pathname, program.url).href)
  })

  it('is final also at a stop', async () => {
    await start('finish')
    const url = await createUpload(program.url, 10_000)
    expect((await patch(url, 0, bytesOf(4000))).status).toBe(204)
    const fault = await failCalls(program, 'sync', 'EIO', [layout.incomingFile(idOf(url))])
    expect(await program.end('SIGTERM')).toBe(0)
    expect(await fault.end()).toBeGreaterThan(0)
    await start('finish')
    await expectFailed(new URL(new URL(url).pathname, program.url).href)
  })

  it('is final for the upload that is concatenated from the part that it concerns', async () => {
    await start('finish')
    const { url = '', ask }: Situation = await OPERATIONS['a final upload'](program.url)
    const fault = await failCalls(program, 'sync', 'EIO', [layout.incomingFile(idOf(url))])
    expect((await ask()).status).toBe(422)
    expect(await fault.end()).toBeGreaterThan(0)
    const again = await ask()
    expect([again.status, again.headers.get('Upload-Error')]).toEqual([422, 'sync_failed'])
  })

  it.each<[string, OperationName, 'everywhere' | 'of the folders']>([
    ['finish', 'a small file that comes with its creation', 'everywhere'],
    ['finish', 'a small file that comes with its creation', 'of the folders'],
    ['always', 'the creation of an upload', 'everywhere'],
    ['always', 'the creation of an upload', 'of the folders'],
    ['always', 'the first chunk', 'of the folders'],
  ])('leaves nothing of an upload that is being created: SYNC=%s, %s, the sync %s', async (sync, name, where) => {
    await start(sync)
    const { ask, goOn } = await OPERATIONS[name](program.url)
    const paths = where === 'everywhere' ? [] : [layout.incoming, layout.files]
    const fault = await failCalls(program, 'sync', 'EIO', paths)
    expect((await ask()).status).toBe(/chunk/.test(name) ? 409 : 503)
    expect(await fault.end()).toBeGreaterThan(0)
    await until(async () => (await openFiles(program.process.pid, folder.path)).length === 0)
    for (const place of [layout.incoming, layout.files]) expect(await readdir(place)).toEqual([])
    await goOn()
  })
})
