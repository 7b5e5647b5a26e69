import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { doctor } from '../../server/doctor.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { createUpload, offsetOf } from '../support/tus.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
/** The file `format` of the data directory. */
let format: string
beforeEach(async () => {
  folder = await temporaryFolder()
  format = path.join(folder.path, 'format')
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

async function start(): Promise<void> {
  program = await startProgram({ DATA_DIR: folder.path })
}

function examine(): Promise<number> {
  return doctor({}, ['--data-dir', folder.path, '--repair'], () => undefined)
}

describe('The format of a data directory', () => {
  it('is written at the first start', async () => {
    await start()
    expect(await readFile(format, 'utf8')).toBe('1\n')
  })

  it('is 1 if there is no format file, which the next start writes', async () => {
    await start()
    const { pathname } = new URL(await createUpload(program.url, 10))
    await program.end('SIGTERM')
    await rm(format)
    expect(await examine()).toBe(0)
    await start()
    expect(await readFile(format, 'utf8')).toBe('1\n')
    expect(await offsetOf(new URL(pathname, program.url).href)).toBe(0)
  })

  it('is written even if a crash has left a part of it under another name', async () => {
    await writeFile(`${format}.tmp`, '')
    await start()
    expect(await readFile(format, 'utf8')).toBe('1\n')
  })

  it('need not be written for the service to start', async () => {
    await mkdir(`${format}.tmp`)
    await start()
    expect(await readdir(folder.path)).not.toContain('format')
  })
})

describe.each([
  [
    'of a newer version',
    '7\n',
    /^.*data directory .* newer version of Landfall \(format 7\); this version .* up to 3\.$/m,
  ],
  ['that is empty', '', /format does not contain a format number/],
  ['that is not a number', 'one\n', /format does not contain a format number/],
  ['of version 0', '0\n', /format does not contain a format number/],
])('A format file %s', (_, content, sentence) => {
  it('prevents the service and the doctor from using the directory', async () => {
    await start()
    await program.end('SIGTERM')
    await writeFile(format, content)
    await writeFile(path.join(folder.path, 'incoming', 'stray'), 'bytes')
    const before = await readdir(folder.path, { recursive: true })
    await expect(start()).rejects.toThrow(/^The program ended with 1: \S/)
    await expect(start()).rejects.toThrow(sentence)
    await expect(examine()).rejects.toThrow(sentence)
    expect(await readdir(folder.path, { recursive: true })).toEqual(before)
    expect(await readFile(format, 'utf8')).toBe(content)
  })
})

describe('A directory with the name of the format file', () => {
  it('prevents the service and the doctor from using the data directory', async () => {
    await mkdir(format)
    await expect(start()).rejects.toThrow(/format does not contain a format number/)
    await expect(examine()).rejects.toThrow(/format does not contain a format number/)
  })
})

describe('A format file with a line end of Windows', () => {
  it('is read like one without', async () => {
    await writeFile(format, '1\r\n')
    await start()
    expect(await readFile(format, 'utf8')).toBe('1\r\n')
  })
})
