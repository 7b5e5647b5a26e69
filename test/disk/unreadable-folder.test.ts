import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { doctor } from '../../server/doctor.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, head, idOf, offsetOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { sendRest } from './client-operations.ts'
import { type Call, failing } from './failing-calls.ts'

const content = bytesOf(10_000)
const SENT = 4000

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
let program: Program
/** The path of an unfinished upload of a stopped program. */
let upload: string
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  program = await startProgram({ DATA_DIR: folder.path })
  const url = await createUpload(program.url, content.length)
  expect((await patch(url, 0, content.subarray(0, SENT))).status).toBe(204)
  upload = new URL(url).pathname
  await program.end('SIGTERM')
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

/** Starts the program with calls that fail from the beginning. */
function startFailing(call: Call, error: string, paths: readonly string[]): Promise<Program> {
  // strace runs next to the program, which stays the started process and receives signals.
  const within = ['strace', '-D', '-I1', '-qq', '-o', path.join(folder.path, 'trace'), ...failing(call, error, paths)]
  return startProgram({ DATA_DIR: folder.path }, undefined, within)
}

/** Lets the calls succeed again. */
async function endFault(): Promise<void> {
  const tracer = async (): Promise<number> => {
    const status = await readFile(`/proc/${program.process.pid}/status`, 'utf8')
    return Number(/TracerPid:\s+(\d+)/.exec(status)?.[1])
  }
  process.kill(await tracer(), 'SIGTERM')
  await until(async () => (await tracer()) === 0)
}

describe('A data directory that cannot be read or changed', () => {
  it.each<[Call, string, (layout: Layout) => readonly string[]]>([
    ['list', 'EIO', ({ incoming }) => [incoming]],
    ['open', 'EIO', ({ incoming }) => [incoming]],
    ['open', 'EACCES', (layout) => [layout.record(idOf(upload))]],
    ['open', 'EIO', (layout) => [layout.record(idOf(upload))]],
    ['open', 'EMFILE', (layout) => [layout.secret]],
    ['rename', 'EIO', () => []],
    ['remove', 'EIO', () => []],
  ])('keeps the program from starting, and loses nothing: %s, %s', async (call, error, paths) => {
    await expect(startFailing(call, error, paths(layout))).rejects.toThrow(/The program ended with 1: \S/)
    program = await startProgram({ DATA_DIR: folder.path })
    expect(await readdir(layout.quarantine)).toEqual([])
    const url = new URL(upload, program.url).href
    expect(await offsetOf(url)).toBe(SENT)
    await sendRest(url, content)
  })

  it('keeps the program from starting when its file system has no sockets, and says so', async () => {
    const sentence = /1: .*can have files, but no Unix sockets \(EPERM\).* choose a DATA_DIR on a local disk\.$/m
    await expect(startFailing('listen', 'EPERM', [])).rejects.toThrow(sentence)
    expect((await readdir(folder.path)).filter((name) => name.startsWith('.owner'))).toEqual([])
  })

  it('keeps the program from starting while a description of another server cannot be read', async () => {
    const description = path.join(folder.path, 'other.json')
    await writeFile(path.join(folder.path, 'other'), content)
    await writeFile(description, JSON.stringify({ id: 'other', size: content.length }))
    await expect(startFailing('open', 'EIO', [description])).rejects.toThrow(/The program ended with 1: \S/)
    program = await startProgram({ DATA_DIR: folder.path })
    expect(await offsetOf(`${program.url}/files/other`)).toBe(content.length)
  })

  it('is left unchanged when a record in it is from another version', async () => {
    const record = layout.record(idOf(upload))
    const known: object = JSON.parse((await readFile(record, 'utf8')).split('\n')[0] ?? '')
    const line = JSON.stringify({ ...known, failed: { code: 'of_next_year', message: 'x' } })
    await writeFile(record, `${line}\n${crc32(line).toString(16)}\n`)
    const sentence = /1: .*json was written by another version of Landfall; start that version to read it\.$/m
    await expect(startProgram({ DATA_DIR: folder.path })).rejects.toThrow(sentence)
    const examined = doctor({}, ['--data-dir', folder.path, '--repair'], () => undefined)
    await expect(examined).rejects.toThrow('was written by another version')
    expect(await readFile(record, 'utf8')).toContain(line)
    expect(await readdir(layout.incoming)).toEqual([idOf(upload)])
    expect(await readdir(layout.quarantine)).toEqual([])
  })

  it('is not mistaken for a lost upload: the client receives a temporary error, and resumes later', async () => {
    program = await startFailing('look at', 'EIO', [layout.incomingFile(idOf(upload))])
    const url = new URL(upload, program.url).href
    const reported = await head(url)
    expect([reported.status, reported.headers.get('Upload-Error')]).toEqual([423, 'storage_error'])
    expect((await patch(url, SENT, content.subarray(SENT))).status).toBe(503)
    await endFault()
    expect(await offsetOf(url)).toBe(SENT)
    await sendRest(url, content)
  })
})
