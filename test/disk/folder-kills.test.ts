/** SIGKILL at every step of a file in a folder: nothing acknowledged is lost, and nothing is left over. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Step } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { doctor } from '../../server/doctor.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, head, idOf, offsetOf, patch, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const STOPPABLE = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
const HELLO = Buffer.from('Hello, world!')

let folder: TemporaryFolder
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

async function start(more: Readonly<Record<string, string>> = {}): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path, FOLDER: 'a/b', LOG_LEVEL: 'silent', ...more }, STOPPABLE)
}

const killed = (): Promise<void> => until(async () => program.process.signalCode !== null)
const inFiles = async (): Promise<string[]> => (await readdir(layout.files, { recursive: true })).sort()

async function expectNoProblem(): Promise<void> {
  await program.end('SIGTERM')
  const lines: string[] = []
  await doctor({}, ['--data-dir', folder.path], (line) => lines.push(line))
  expect(lines).toEqual(['No problems found.'])
}

const LANDING: readonly [Step, number][] = [
  ['folder:made', 1],
  ['folder:made', 2],
  ['finish:synced', 1],
  ['finish:folder', 1],
  ['finish:renamed', 1],
  ['finish:directories', 1],
  ['finish:done', 1],
]

describe('A kill', () => {
  it.each(LANDING)('at %s (%i) loses no byte of a file that lands', async (step, count) => {
    await start({ STOP_AT: step, STOP_COUNT: String(count) })
    const url = await createUpload(program.url, HELLO.length, { filename: 'a.txt' })
    await patch(url, 0, HELLO).catch(() => undefined)
    await killed()
    // Another setting: the record has the place.
    await start({ FOLDER: 'elsewhere' })
    const again = program.url + new URL(url).pathname
    await until(async () => (await fetch(again)).status === 200)
    expect(await (await fetch(again)).text()).toBe(HELLO.toString())
    expect(await inFiles()).toEqual(['a', 'a/b', `a/b/${idOf(url)}`, `a/b/${idOf(url)}/a.txt`])
    await expectNoProblem()
  })

  const CREATION: readonly [Step, number][] = [
    ['format:raised', 1],
    ['whole:bytes', 1],
    ['whole:record', 1],
    ['folder:made', 1],
    ['folder:made', 2],
    ['whole:folder', 1],
    ['whole:renamed', 1],
    ['whole:directories', 1],
  ]

  it.each(CREATION)('at %s (%i) leaves a file of one request whole, or nothing that lasts', async (step, count) => {
    await start({ STOP_AT: step, STOP_COUNT: String(count), EXPIRES_AFTER: '1' })
    const headers = { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream' }
    await create(program.url, headers, HELLO).catch(() => undefined)
    await killed()
    const records = (await readdir(layout.records, { recursive: true })).filter((name) => name.endsWith('.json'))
    await start()
    const id = path.basename(records[0] ?? '', '.json')
    if (id !== '') {
      await until(async () => (await fetch(`${program.url}/files/${id}`)).status === 200)
      expect(await readFile(path.join(layout.files, 'a/b', id, 'file'), 'utf8')).toBe(HELLO.toString())
    }
    expect(await inFiles()).toEqual(id === '' ? [] : ['a', 'a/b', `a/b/${id}`, `a/b/${id}/file`])
    await expectNoProblem()
  })

  const REMOVAL: readonly [Step, number][] = [
    ['remove:tombstone', 1],
    ['folder:tidied', 1],
    ['folder:tidied', 2],
    ['remove:bytes', 1],
    ['remove:record', 1],
    ['remove:done', 1],
  ]

  it.each(REMOVAL)('at %s (%i) leaves nothing of a file that is removed', async (step, count) => {
    await start({ STOP_AT: step, STOP_COUNT: String(count) })
    const url = await createUpload(program.url, HELLO.length)
    await patch(url, 0, HELLO)
    await fetch(url, { method: 'DELETE', headers: TUS }).catch(() => undefined)
    await killed()
    await start()
    expect(await inFiles()).toEqual([])
    expect((await head(program.url + new URL(url).pathname)).status).toBe(404)
    await expectNoProblem()
  })

  it('of the first upload with a folder leaves a directory that the format describes', async () => {
    await start({ STOP_AT: 'create:record' })
    await createUpload(program.url, HELLO.length).catch(() => undefined)
    await killed()
    expect(await readFile(layout.format, 'utf8')).toBe('2\n')
    const [name = ''] = await readdir(layout.incoming)
    await start()
    expect(await offsetOf(`${program.url}/files/${name}`)).toBe(0)
  })
})
