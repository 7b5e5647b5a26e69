/** SIGKILL of the program around acts of administrators, and the loss of the index. */
import { stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { stats, uploadDetails, uploadLine, uploadPage } from '../../server/admin/contract.ts'
import type { Step } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { doctor } from '../../server/doctor.ts'
import { makeScanner } from '../e2e/support/scanner.ts'
import { ADMIN_TOKEN, type AdminClient, adminClient } from '../support/admin.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, idOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

const STOPPABLE = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
const MORTAL_INDEX = fileURLToPath(new URL('mortal-index.mjs', import.meta.url))
const REJECTED = Buffer.from('REJECT-ME')

let folder: TemporaryFolder
let tools: TemporaryFolder
let program: Program
let admin: AdminClient
beforeEach(async () => {
  folder = await temporaryFolder()
  tools = await temporaryFolder()
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
  await tools.dispose()
})

async function start(more: Readonly<Record<string, string>> = {}, main = STOPPABLE): Promise<void> {
  const port = await freePort()
  const scanner = await makeScanner(tools.path)
  const settings = { DATA_DIR: folder.path, ADMIN_PORT: String(port), ADMIN_TOKEN, SCAN_CMD: scanner.command }
  program = await startProgram({ ...settings, LOG_LEVEL: 'silent', ...more }, main)
  admin = await adminClient(`http://127.0.0.1:${port}`)
}

const show = (id: string) => admin.done(uploadDetails, 'GET', `/uploads/${id}`)

describe('The extension of an upload', () => {
  it('survives a kill of the service', async () => {
    await start()
    const url = await createUpload(program.url, 10)
    await patch(url, 0, Buffer.from('hello'))
    await program.end('SIGKILL')
    // In whole seconds: a file system may round milliseconds.
    const day = new Date((Math.floor(Date.now() / 1000) - 86_400) * 1000)
    await utimes(new Layout(folder.path).incomingFile(idOf(url)), day, day)
    await start()
    expect((await show(idOf(url))).changedAt).toBe(day.toISOString())
    const extended = await admin.done(uploadLine, 'POST', `/uploads/${idOf(url)}/extend`)
    await program.end('SIGKILL')
    await start()
    const { changedAt, expiresAt, offset } = await show(idOf(url))
    expect(Math.abs(Date.parse(changedAt) - Date.parse(extended.changedAt))).toBeLessThan(1000)
    expect(Date.parse(expiresAt ?? '')).toBe(Date.parse(changedAt) + 604_800_000)
    expect(offset).toBe(5)
  })
})

describe('The release of a rejected file', () => {
  /** @returns the id of a rejected upload. */
  async function reject(): Promise<string> {
    const headers = { 'Upload-Length': String(REJECTED.length), 'Content-Type': 'application/offset+octet-stream' }
    await create(program.url, headers, REJECTED)
    let id = ''
    await until(async () => {
      const { uploads } = await admin.done(uploadPage, 'GET', '/uploads?state=rejected')
      id = uploads[0]?.id ?? ''
      return id !== '' && (await show(id)).canRelease
    })
    return id
  }

  async function expectWhole(id: string): Promise<void> {
    await until(async () => (await fetch(`${program.url}/files/${id}`)).status === 200)
    expect(await (await fetch(`${program.url}/files/${id}`)).text()).toBe(REJECTED.toString())
    const layout = new Layout(folder.path)
    expect((await stat(path.join(layout.files, id, 'file'))).mode & 0o777).toBe(0o640)
    await program.end('SIGTERM')
    const lines: string[] = []
    await doctor({}, ['--data-dir', folder.path], (line) => lines.push(line))
    expect(lines).toEqual(['No problems found.'])
  }

  it('survives a kill of the service as soon as it is acknowledged', async () => {
    await start()
    const id = await reject()
    await admin.done(uploadLine, 'POST', `/uploads/${id}/release`)
    await program.end('SIGKILL')
    await start()
    await expectWhole(id)
  })

  it('is completed after a kill between the record and the file', async () => {
    await start({ STOP_AT: 'readmit:done' })
    const id = await reject()
    await admin.call('POST', `/uploads/${id}/release`).catch(() => undefined)
    await until(async () => program.process.signalCode !== null)
    await start()
    // The scanner, which would reject the file again, is not asked.
    await expectWhole(id)
  })

  it('can be repeated after a kill before the record', async () => {
    const before: Step = 'readmit:moved'
    await start({ STOP_AT: before })
    const id = await reject()
    await admin.call('POST', `/uploads/${id}/release`).catch(() => undefined)
    await until(async () => program.process.signalCode !== null)
    await start()
    expect(await show(id)).toMatchObject({ state: 'rejected', canRelease: true })
    expect((await fetch(`${program.url}/files/${id}`)).status).toBe(422)
    await admin.done(uploadLine, 'POST', `/uploads/${id}/release`)
    await expectWhole(id)
  })
})

describe('The index of uploads', () => {
  it('is built again after a restart, and after the loss of its worker', async () => {
    await start()
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) ids.push(idOf(await createUpload(program.url, 5, { filename: name })))
    await patch(`${program.url}/files/${ids[0]}`, 0, Buffer.from('hello'))
    await program.end('SIGKILL')
    await start({}, MORTAL_INDEX)
    const all = async (): Promise<string[] | number> => {
      const { status, body } = await admin.call('GET', '/uploads?sort=name')
      return status === 200 ? uploadPage.parse(body).uploads.map(({ id, state }) => `${id} ${state}`) : status
    }
    const wanted = ids.map((id, i) => `${id} ${i === 0 ? 'finished' : 'receiving'}`)
    await until(async () => JSON.stringify(await all()) === JSON.stringify(wanted))
    program.process.kill('SIGUSR2')
    await until(async () => !(await admin.done(stats, 'GET', '/stats')).index.isComplete)
    const { status, body } = await admin.call('GET', '/uploads')
    expect([status, body]).toMatchObject([503, { code: 'index_building' }])
    const more = idOf(await createUpload(program.url, 5, { filename: 'd' }))
    // One upload is still shown while there is no index.
    expect(await show(more)).toMatchObject({ name: 'd', state: 'receiving' })
    await until(async () => JSON.stringify(await all()) === JSON.stringify([...wanted, `${more} receiving`]))
  })
})
