import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'

const CHECK = fileURLToPath(new URL('../../dist/program/healthcheck.js', import.meta.url))

let folder: TemporaryFolder
let adminPort: number
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  adminPort = await freePort()
  program = await startProgram({ DATA_DIR: folder.path, ADMIN_PORT: String(adminPort) })
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

function check(ports: Readonly<Record<string, string>>): Promise<unknown> {
  return promisify(execFile)(process.execPath, [CHECK], { env: ports })
}

describe('The health check of the container', () => {
  it('asks the port of administrators if there is one, and otherwise that of the service', async () => {
    const { port } = new URL(program.url)
    await expect(check({ PORT: port })).resolves.toMatchObject({ stdout: '' })
    await expect(check({ PORT: '1' })).rejects.toMatchObject({ code: 1 })
    await expect(check({ PORT: '1', ADMIN_PORT: String(adminPort) })).resolves.toMatchObject({ stdout: '' })
    await expect(check({ PORT: port, ADMIN_PORT: '1' })).rejects.toMatchObject({ code: 1 })
  })
})
