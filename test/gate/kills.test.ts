/** SIGKILL at every step of a file that a scanner has to pass: nothing unscanned becomes visible, nothing clean is lost. */
import { chmod, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Step } from '../../server/disk/environment.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, idOf, offsetOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const STOPPABLE = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
const CLEAN = Buffer.from('The file is as it should be.')
const EVIL = Buffer.from('The file has something EVIL.')

let folder: TemporaryFolder
let program: Program

beforeEach(async () => {
  folder = await temporaryFolder()
  // With the file `deadly`, the scanner kills the service in the middle of its first scan.
  const lines = [
    '#!/bin/sh',
    `if rm "${folder.path}/deadly" 2>/dev/null; then kill -9 $PPID; fi`,
    'if grep -q EVIL; then exit 1; fi',
  ]
  await writeFile(path.join(folder.path, 'scan'), `${lines.join('\n')}\n`)
  await chmod(path.join(folder.path, 'scan'), 0o755)
})

afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

const data = (...names: readonly string[]): string => path.join(folder.path, 'data', ...names)

async function start(more: Readonly<Record<string, string>> = {}): Promise<void> {
  const settings = { DATA_DIR: data(), SCAN_CMD: path.join(folder.path, 'scan'), LOG_LEVEL: 'silent' }
  program = await startProgram({ ...settings, ...more }, STOPPABLE)
}

/** Uploads a file to a program that dies meanwhile. @returns the path of the upload. */
async function uploadUntilKilled(content: Buffer<ArrayBuffer>): Promise<string> {
  const url = await createUpload(program.url, content.length, { filename: 'file.txt' })
  await patch(url, 0, content).catch(() => undefined)
  await until(async () => program.process.signalCode !== null)
  return new URL(url).pathname
}

/** The contents of all files that a backend can see. */
async function visible(): Promise<string[]> {
  const contents: string[] = []
  for (const id of await readdir(data('files'))) {
    for (const name of await readdir(data('files', id))) contents.push(await readFile(data('files', id, name), 'utf8'))
  }
  return contents
}

const CLEAN_STEPS: readonly Step[] = [
  'write:returned',
  'record:replaced',
  'finish:synced',
  'finish:folder',
  'finish:renamed',
  'finish:directories',
  'finish:done',
]

describe('A clean file', () => {
  it.each(CLEAN_STEPS)('is not lost by a kill at %s', async (step) => {
    await start({ STOP_AT: step })
    const pathname = await uploadUntilKilled(CLEAN)
    for (const content of await visible()) expect(content).toBe(CLEAN.toString())
    await start()
    await until(async () => (await fetch(program.url + pathname)).status === 200)
    expect(await (await fetch(program.url + pathname)).text()).toBe(CLEAN.toString())
  })

  it('is scanned again after a kill during the scan', async () => {
    await writeFile(path.join(folder.path, 'deadly'), '')
    await start()
    const pathname = await uploadUntilKilled(CLEAN)
    expect(await visible()).toEqual([])
    await start()
    await until(async () => (await fetch(program.url + pathname)).status === 200)
  })

  it('is scanned again if a power cut has taken bytes of it, and others arrive', async () => {
    await start({ STOP_AT: 'finish:synced' })
    const pathname = await uploadUntilKilled(CLEAN)
    const id = idOf(pathname)
    expect(await readFile(data('records', id.slice(0, 2), `${id}.json`), 'utf8')).toContain('"scan":"clean"')
    await truncate(data('incoming', id), 5)
    await start()
    expect(await offsetOf(program.url + pathname)).toBe(5)
    expect((await patch(program.url + pathname, 5, EVIL.subarray(5))).status).toBe(422)
    expect(await visible()).toEqual([])
  })
})

const REJECTED_STEPS: readonly Step[] = ['write:returned', 'record:replaced', 'reject:moved', 'reject:done']

describe('A rejected file', () => {
  it.each(REJECTED_STEPS)('never becomes visible by a kill at %s, and its bytes end in quarantine', async (step) => {
    await start({ STOP_AT: step })
    const pathname = await uploadUntilKilled(EVIL)
    expect(await visible()).toEqual([])
    await start()
    await until(async () => (await fetch(program.url + pathname)).status === 422)
    await until(async () => (await readdir(data('quarantine'))).length === 1)
    expect(await readdir(data('quarantine'))).toEqual([`${idOf(pathname)}.rejected`])
    expect(await readFile(data('quarantine', `${idOf(pathname)}.rejected`), 'utf8')).toBe(EVIL.toString())
    // An empty file takes the place of the bytes, a moment later.
    await until(async () => (await readdir(data('incoming'))).join() === idOf(pathname))
    expect(await visible()).toEqual([])
  })

  it('never becomes visible by a kill during the scan', async () => {
    await writeFile(path.join(folder.path, 'deadly'), '')
    await start()
    const pathname = await uploadUntilKilled(EVIL)
    await start()
    await until(async () => (await fetch(program.url + pathname)).status === 422)
    expect(await visible()).toEqual([])
  })
})
