import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { stats, sweepResult, uploadDetails, uploadLine, uploadPage } from '../../server/admin/contract.ts'
import { makeScanner } from '../e2e/support/scanner.ts'
import { ADMIN_TOKEN, type AdminClient, adminClient } from '../support/admin.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { createUpload, idOf, patch } from '../support/tus.ts'
import { until } from '../support/wire.ts'

let engine: S3Engine
let folders: TemporaryFolder[]
let program: Program
let admin: AdminClient

async function start(): Promise<void> {
  const [data, tools] = folders.map(({ path }) => path)
  const port = await freePort()
  const scanner = await makeScanner(tools ?? '')
  program = await startProgram({
    ...engineSettings(engine.location),
    DATA_DIR: data ?? '',
    ADMIN_PORT: String(port),
    ADMIN_TOKEN,
    SCAN_CMD: scanner.command,
  })
  admin = await adminClient(`http://127.0.0.1:${port}`)
}

beforeAll(async () => {
  engine = await startS3Engine()
  folders = [await temporaryFolder(), await temporaryFolder()]
  await start()
})

afterAll(async () => {
  await program.end('SIGKILL')
  await engine.stop()
  for (const folder of folders) await folder.dispose()
})

const show = (id: string) => admin.done(uploadDetails, 'GET', `/uploads/${id}`)
const idsOf = async (query: string): Promise<string[]> => {
  const { status, body } = await admin.call('GET', `/uploads?${query}`)
  return status === 200 ? uploadPage.parse(body).uploads.map(({ id }) => id) : [String(status)]
}
const listed = (query: string, ids: readonly string[]): Promise<void> =>
  until(async () => JSON.stringify(await idsOf(query)) === JSON.stringify(ids))

describe('With uploads in a bucket, the admin API', () => {
  it('lists, shows, extends, releases, downloads, and deletes uploads, also after a restart', async () => {
    const whole = await createUpload(program.url, 5, { filename: 'whole' })
    await patch(whole, 0, Buffer.from('hello'))
    const begun = await createUpload(program.url, 10, { filename: 'begun' })
    await patch(begun, 0, Buffer.from('hello'))
    const rejected = await createUpload(program.url, 9, { filename: 'rejected' })
    await patch(rejected, 0, Buffer.from('REJECT-ME'))
    const ids = [begun, rejected, whole].map(idOf)
    const [begunId = '', rejectedId = '', wholeId = ''] = ids
    await listed('sort=name', ids)
    await program.end('SIGKILL')
    await start()
    await listed('sort=name', ids)
    expect(await show(begunId)).toMatchObject({ state: 'receiving', offset: 5, ranges: [[0, 5]], isOpen: false })
    expect(await show(wholeId)).toMatchObject({ state: 'finished', received: 5, object: { bucket: 'landfall' } })
    expect(await show(rejectedId)).toMatchObject({ state: 'rejected', canRelease: true })
    const { changedAt } = await show(begunId)
    // Each waits until the claim of the killed process is old.
    const [extended, released] = await Promise.all([
      admin.done(uploadLine, 'POST', `/uploads/${begunId}/extend`),
      admin.done(uploadLine, 'POST', `/uploads/${rejectedId}/release`),
    ])
    expect(Date.parse(extended.changedAt)).toBeGreaterThan(Date.parse(changedAt))
    expect(released.state).toBe('finished')
    expect((await admin.call('GET', `/uploads/${rejectedId}/content`)).body).toBe('REJECT-ME')
    expect((await admin.call('DELETE', `/uploads/${wholeId}`)).status).toBe(204)
    await listed('sort=name', [begunId, rejectedId])
    expect(await admin.done(stats, 'GET', '/stats')).toMatchObject({ store: 's3', disk: null, quarantine: null })
    expect(await admin.done(sweepResult, 'POST', '/sweep', { dryRun: true })).toMatchObject({ expired: 0 })
  }, 60_000)
})
