/** Hooks as programs of a directory. */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startService, type TestService } from '../support/service.ts'
import { create, createUpload, idOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

let folder: TemporaryFolder
let service: TestService

beforeEach(async () => {
  folder = await temporaryFolder()
  process.env['JWT_SECRET_OF_THE_TEST'] = 'secret'
  service = await startService({ HOOKS_DIR: folder.path, HOOKS_TIMEOUT: '1000' })
})

afterEach(async () => {
  delete process.env['JWT_SECRET_OF_THE_TEST']
  await service.close()
  await folder.dispose()
})

const file = (name: string): string => path.join(folder.path, name)
const content = (name: string): Promise<string> => readFile(file(name), 'utf8').catch(() => '')

async function program(hook: string, ...lines: readonly string[]): Promise<void> {
  await writeFile(file(hook), `${['#!/bin/sh', ...lines].join('\n')}\n`)
  await chmod(file(hook), 0o755)
}

const creation = (): Promise<Response> => create(service.url, { 'Upload-Length': '5' })

describe('A program', () => {
  it('is not needed for every hook', async () => {
    expect((await creation()).status).toBe(201)
  })

  it('receives the upload, in its directory and without secrets', async () => {
    await program('post-finish', 'cat /dev/stdin > got; env > variables; mv variables done')
    const url = await createUpload(service.url, 5)
    await patch(url, 0, Buffer.from('hello'))
    await until(async () => (await content('done')).includes('TUS_ID'))
    const variables = (await content('done')).split('\n')
    expect(variables).toEqual(expect.arrayContaining([`TUS_ID=${idOf(url)}`, 'TUS_SIZE=5', 'TUS_OFFSET=5']))
    expect(variables.join()).not.toContain('secret')
    expect(JSON.parse(await content('got'))).toMatchObject({ Type: 'post-finish', Event: { Upload: { Size: 5 } } })
  })

  it('refuses an upload by its output', async () => {
    await program('pre-create', `echo '{"RejectUpload":true,"HTTPResponse":{"StatusCode":403,"Body":"No."}}'`)
    const response = await creation()
    expect([response.status, await response.text()]).toEqual([403, 'No.'])
  })

  it.each([
    ['fails', 'echo inside; exit 3'],
    ['writes no JSON', 'echo inside'],
    ['writes too much', 'yes'],
    ['writes a long answer', `printf '{"Text":"%020000d"}' 0`],
    ['hangs', 'exec sleep 1000'],
  ])('keeps uploads from being created if it %s', async (_, line) => {
    await program('pre-create', line)
    const response = await creation()
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([503, 'application_unavailable'])
    expect(await response.text()).not.toContain('inside')
  })

  it('keeps uploads from being created if its interpreter is missing', async () => {
    await writeFile(file('pre-create'), '#!/no/such/interpreter\n')
    await chmod(file('pre-create'), 0o755)
    expect((await creation()).status).toBe(503)
  })

  it('is ended with everything that it has started', async () => {
    await program('pre-create', 'sleep 1000 & echo $! > child; wait')
    expect((await creation()).status).toBe(503)
    const child = Number(await content('child'))
    await until(async () => !(await isRunning(child)))
  })
})

describe('The service', () => {
  it('does not start without the directory of programs', async () => {
    await expect(startService({ HOOKS_DIR: file('missing') })).rejects.toThrow('HOOKS_DIR must be a directory')
  })
})

/** Whether a process runs: one that has ended, but has not been waited for, does not. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) [ZX] /.test(stat)
}
