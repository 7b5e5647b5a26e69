/** SIGKILL at every step of an instant upload: there is no upload then, or a whole one, and the first file is as it was. */
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { DiskStore } from '../../server/disk/disk-store.ts'
import type { Step } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { doctor } from '../../server/doctor.ts'
import { failCalls } from '../disk/failing-calls.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { contentOf, instantly, send } from '../support/instant.ts'
import { type Program, startProgram } from '../support/program.ts'
import { TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const STOPPABLE = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
const CONTENT = contentOf(100_000, 'killed')

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
  const settings = { DATA_DIR: folder.path, INSTANT: 'all', LOG_LEVEL: 'silent' }
  program = await startProgram({ ...settings, ...more }, STOPPABLE)
}

/** The ids of the finished files, each of which must be whole. */
async function files(): Promise<string[]> {
  const ids = await readdir(layout.files)
  for (const id of ids) {
    const [name = '', ...others] = await readdir(path.join(layout.files, id))
    expect(others).toEqual([])
    const file = path.join(layout.files, id, name)
    expect([(await readFile(file)).equals(CONTENT), (await stat(file)).mode & 0o777]).toEqual([true, 0o640])
  }
  return ids
}

async function expectNoProblem(): Promise<void> {
  await program.end('SIGTERM')
  const lines: string[] = []
  await doctor({}, ['--data-dir', folder.path], (line) => lines.push(line))
  expect(lines).toEqual(['No problems found.'])
}

/** Of the instant upload: the first one has passed the others. */
const STEPS: readonly [step: Step, count: number, outcome: 'none' | 'whole'][] = [
  ['format:raised', 1, 'none'],
  ['link:bytes', 1, 'none'],
  ['link:record', 1, 'whole'],
  ['finish:synced', 1, 'whole'],
  ['finish:folder', 1, 'whole'],
  ['finish:renamed', 1, 'whole'],
  ['finish:directories', 1, 'whole'],
  ['finish:done', 1, 'whole'],
]

describe('A kill', () => {
  it.each(STEPS)('at %s (%i) of an instant upload leaves it %s', async (step, count, outcome) => {
    await start()
    const [first] = [path.basename(await send(program.url, CONTENT))]
    await program.end('SIGTERM')
    await start({ STOP_AT: step, STOP_COUNT: String(count) })
    const isKnown = async (): Promise<boolean> => {
      const response = await instantly(program.url, CONTENT).catch(() => undefined)
      // Until the files of earlier runs are known, it is a miss.
      return response === undefined
    }
    await until(isKnown)
    await until(async () => program.process.signalCode !== null)
    await start()
    if (outcome === 'whole') await until(async () => (await readdir(layout.files)).length === 2)
    await until(async () => (await readdir(layout.incoming)).length === 0)
    const ids = await files()
    expect(ids).toContain(first)
    expect(ids).toHaveLength(outcome === 'whole' ? 2 : 1)
    expect(await readdir(layout.quarantine)).toEqual([])
    for (const id of ids) {
      const response = await fetch(`${program.url}/files/${id}`)
      expect(Buffer.from(await response.arrayBuffer()).equals(CONTENT)).toBe(true)
    }
    await expectNoProblem()
  })

  const REMOVAL: readonly Step[] = ['remove:tombstone', 'remove:bytes', 'remove:record', 'remove:done']

  it.each(REMOVAL)('at %s of the first file leaves the instant upload', async (step) => {
    await start({ STOP_AT: step })
    const first = await send(program.url, CONTENT)
    const { url } = JSON.parse(await (await instantly(program.url, CONTENT)).text())
    await fetch(first, { method: 'DELETE', headers: TUS }).catch(() => undefined)
    await until(async () => program.process.signalCode !== null)
    await start()
    await until(async () => (await readdir(layout.files)).length === 1)
    expect(await files()).toEqual([path.basename(url)])
    await expectNoProblem()
  })
})

describe('A restart of the host', () => {
  it.each(['finish', 'never'])(
    'with SYNC=%s shortens no file that an unfinished instant upload shares',
    async (sync) => {
      await start({ SYNC: sync })
      await send(program.url, CONTENT)
      await program.end('SIGTERM')
      await start({ SYNC: sync, STOP_AT: 'link:record' })
      await until(async () => (await instantly(program.url, CONTENT).catch(() => undefined)) === undefined)
      await until(async () => program.process.signalCode !== null)
      // The record names the boot: another one stands for a restart.
      const records = (await readdir(layout.records, { recursive: true })).filter((name) => name.endsWith('.json'))
      expect(records).toHaveLength(2)
      const mode = sync === 'never' ? 'never' : 'finish'
      const store = await DiskStore.open({
        directory: folder.path,
        sync: mode,
        boot: 'another boot',
        onNotice: () => undefined,
      })
      for (const name of records) {
        const found = await store.open(path.basename(name, '.json'))
        expect(found.kind === 'upload' && found.upload.received).toEqual([{ start: 0, end: CONTENT.length }])
        if (found.kind === 'upload') await found.upload.release()
      }
      await store.close()
      await start({ SYNC: sync })
      await until(async () => (await readdir(layout.files)).length === 2)
      await files()
    },
  )
})

describe('A disk', () => {
  it.each(['EMLINK', 'EXDEV', 'EPERM'])('that refuses a link with %s makes it a miss', async (error) => {
    await start()
    const sent = await send(program.url, CONTENT)
    expect((await instantly(program.url, CONTENT)).status).toBe(201)
    const calls = await failCalls(program, 'link', error)
    expect((await instantly(program.url, CONTENT)).status).toBe(404)
    expect(await calls.end()).toBe(1)
    expect(await readdir(layout.incoming)).toEqual([])
    expect(await files()).toContain(path.basename(sent))
    expect(await files()).toHaveLength(2)
    await expectNoProblem()
  })
})
