import { spawnSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { offsetOf } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { expectDownload, OPERATIONS, type OperationName } from './client-operations.ts'

const PROGRAM = fileURLToPath(new URL('program-with-short-writes.mjs', import.meta.url))

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

describe('A disk that writes only a part of each request', () => {
  const names = Object.keys(OPERATIONS).filter((name): name is OperationName => name in OPERATIONS)

  it.each(['finish', 'always'])('stores all bytes in the end: SYNC=%s', async (sync) => {
    program = await startProgram({ DATA_DIR: folder.path, SYNC: sync }, PROGRAM)
    for (const name of names) await (await OPERATIONS[name](program.url)).goOn()
  })
})

describe('A journal entry of which the disk wrote a part', () => {
  const content = bytesOf(60)
  const file = cut(content, 20)
  /** The header and each entry of a journal have 32 bytes: the limit is in the middle of the second entry. */
  const LIMIT = 80

  /** The largest file that the program may write, in bytes; the OS writes up to it and refuses the rest. */
  function limitFiles(most: number | 'unlimited'): void {
    const { status } = spawnSync('prlimit', ['--pid', String(program.process.pid), `--fsize=${most}:`])
    expect(status).toBe(0)
  }

  /** @returns the path of the upload. */
  async function tearAnEntry(sync = 'finish', limit = LIMIT, left = limit): Promise<string> {
    program = await startProgram({ DATA_DIR: folder.path, SYNC: sync })
    const { id, url } = await land(program.url, file, 0)
    limitFiles(limit)
    const refused = await sendChunk(program.url, file.fields(1), file.bytes(1))
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect((await stat(path.join(folder.path, 'journals', id))).size).toBe(left)
    expect(await offsetOf(new URL(url, program.url).href)).toBe(20)
    return url
  }

  /** Later entries count. */
  async function expectToResume(url: string): Promise<void> {
    expect(await offsetOf(new URL(url, program.url).href)).toBe(20)
    await land(program.url, file, 2)
    await program.end('SIGKILL')
    program = await startProgram({ DATA_DIR: folder.path })
    expect(await offsetOf(new URL(url, program.url).href)).toBe(20)
    expect((await land(program.url, file, 1)).finished).toBe(true)
    await expectDownload(new URL(url, program.url).href, content)
  }

  it('does not count, and is overwritten by the next', async () => {
    const url = await tearAnEntry()
    limitFiles('unlimited')
    await expectToResume(url)
  })

  it('does not count after a crash, and does not hide later entries', async () => {
    const url = await tearAnEntry()
    await program.end('SIGKILL')
    program = await startProgram({ DATA_DIR: folder.path })
    await expectToResume(url)
  })

  it('does not count if it is whole, but lacks the mark that belongs to it', async () => {
    // With SYNC=always a mark of 32 bytes follows each entry.
    const url = await tearAnEntry('always', 128, 96)
    await program.end('SIGKILL')
    program = await startProgram({ DATA_DIR: folder.path })
    await expectToResume(url)
  })
})
