import { constants } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { temporaryFolder } from '../support/folder.ts'
import { openFiles } from '../support/open-files.ts'
import { type Program, startProgram } from '../support/program.ts'
import { head } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { OPERATIONS, type OperationName, type Situation } from './client-operations.ts'
import { type Call, failCalls } from './failing-calls.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
let log = ''
beforeAll(async () => {
  folder = await temporaryFolder()
  program = await startProgram({ DATA_DIR: folder.path })
  program.process.stderr?.on('data', (text) => {
    log += text
  })
})
afterAll(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

const OPEN = ['EIO', 'EACCES', 'EMFILE'] as const
const WRITE = ['EIO', 'ENOSPC', 'EDQUOT'] as const
const CHANGE = ['EIO', 'ENOSPC', 'EACCES'] as const

/** The failing calls, the error, and the request. */
const FAULTS: readonly [OperationName, Call, readonly (keyof typeof constants.errno)[]][] = [
  ['the creation of an upload', 'open', OPEN],
  ['the creation of an upload', 'write', WRITE],
  ['a file that comes with its creation', 'open', OPEN],
  ['a file that comes with its creation', 'write', WRITE],
  ['a file that comes with its creation', 'rename', CHANGE],
  ['a small file that comes with its creation', 'open', OPEN],
  ['a small file that comes with its creation', 'write', WRITE],
  ['a small file that comes with its creation', 'make a folder', CHANGE],
  ['a small file that comes with its creation', 'rename', CHANGE],
  ['bytes in the middle', 'open', OPEN],
  ['bytes in the middle', 'write', WRITE],
  ['the first bytes with a checksum', 'open', OPEN],
  ['the first bytes with a checksum', 'write', WRITE],
  ['the first bytes with a checksum', 'rename', CHANGE],
  ['more bytes with a checksum', 'open', OPEN],
  ['more bytes with a checksum', 'write', WRITE],
  ['the last bytes', 'open', OPEN],
  ['the last bytes', 'write', WRITE],
  ['the last bytes', 'make a folder', CHANGE],
  ['the last bytes', 'rename', CHANGE],
  ['the last bytes', 'look at', ['EIO']],
  ['the length, said later', 'open', OPEN],
  ['the length, said later', 'rename', CHANGE],
  ['the first chunk', 'open', OPEN],
  ['the first chunk', 'write', WRITE],
  ['the first chunk', 'rename', CHANGE],
  ['a chunk', 'open', OPEN],
  ['a chunk', 'write', WRITE],
  ['the last chunk', 'open', OPEN],
  ['the last chunk', 'write', WRITE],
  ['the last chunk', 'make a folder', CHANGE],
  ['the last chunk', 'rename', CHANGE],
  ['a file of one chunk', 'open', OPEN],
  ['a file of one chunk', 'write', WRITE],
  ['a file of one chunk', 'rename', CHANGE],
  ['the question whether all chunks are there', 'open', OPEN],
  ['the question whether all chunks are there', 'list', ['EIO']],
  ['a final upload', 'open', OPEN],
  ['a final upload', 'write', WRITE],
  ['a final upload', 'read', ['EIO']],
  ['a final upload', 'rename', CHANGE],
  ['a final upload', 'make a folder', CHANGE],
  ['a final upload', 'look at', ['EIO']],
  ['the removal of an unfinished upload', 'open', OPEN],
  ['the removal of an unfinished upload', 'remove', ['EIO', 'EACCES']],
  ['the removal of a file', 'open', OPEN],
  ['the removal of a file', 'remove', ['EIO', 'EACCES']],
  ['the removal of a file', 'rename', CHANGE],
  ['a download', 'open', OPEN],
  ['a download', 'read', ['EIO']],
]

describe.each(FAULTS)('%s while the disk fails to %s', (name, call, errors) => {
  it.each(errors)('with %s is refused in time for another try, which succeeds', async (error) => {
    const situation: Situation = await OPERATIONS[name](program.url)
    log = ''
    const fault = await failCalls(program, call, error)
    const refused = await situation.ask()
    const reported = situation.url === undefined ? undefined : await head(situation.url)
    expect(await fault.end()).toBeGreaterThan(0)
    const isFull = error === 'ENOSPC' || error === 'EDQUOT'
    const code = isFull ? 'no_space' : 'storage_error'
    const isLegacy = /chunk/.test(name)
    const text = await refused.text()
    expect({ status: refused.status, code: refused.headers.get('Upload-Error'), text }).toMatchObject({
      status: isLegacy ? 409 : isFull ? 507 : 503,
      code,
    })
    expect(text).toMatch(isLegacy ? /"message":"[A-Z].*\."/ : /^[A-Z].*\.\n$/)
    expect(text).not.toMatch(/\/|E[A-Z]{3,}|Error/)
    // Any other status makes tus-js-client restart at 0; an upload that was being removed may be gone.
    if (reported !== undefined) expect(/^the removal/.test(name) ? [200, 404] : [200, 423]).toContain(reported.status)
    await until(async () => log.includes(`"errno":-${constants.errno[error]}`))
    await situation.goOn()
    await until(async () => (await openFiles(program.process.pid, folder.path)).length === 0)
  })
})
