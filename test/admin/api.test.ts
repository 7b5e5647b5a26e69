import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Validator } from '@seriousme/openapi-schema-validator'
import { z } from 'zod'
import {
  deadLetterPage,
  interrupted,
  settings as settingsAnswer,
  stats,
  sweepResult,
  token as tokenAnswer,
  uploadDetails,
  uploadLine,
  uploadPage,
} from '../../server/admin/contract.ts'
import { Layout } from '../../server/disk/layout.ts'
import { DeadLetters } from '../../server/outbox/dead-letters.ts'
import { endpointName } from '../../server/webhooks/endpoint.ts'
import { makeScanner } from '../e2e/support/scanner.ts'
import { ADMIN_TOKEN, type AdminClient, adminClient, eventsOf } from '../support/admin.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { cut, MULTIPART, multipartBody } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const WEBHOOK = 'http://127.0.0.1:9/webhooks/secret'
const NOTHING = z.unknown()

let folders: TemporaryFolder[]
let program: Program
let adminUrl: string
let admin: AdminClient
let user: { readonly Authorization: string }
let dataDir: string

beforeAll(async () => {
  folders = [await temporaryFolder(), await temporaryFolder()]
  const [data, tools] = folders
  dataDir = data?.path ?? ''
  const scanner = await makeScanner(tools?.path ?? '')
  const port = await freePort()
  program = await startProgram({
    DATA_DIR: dataDir,
    ADMIN_PORT: String(port),
    ADMIN_TOKEN,
    ADMIN_CLAIM: 'role=admin',
    AUTH: 'jwt',
    JWT_SECRET,
    SCAN_CMD: scanner.command,
    WEBHOOK_URLS: WEBHOOK,
    WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    LOG_LEVEL: 'silent',
  })
  adminUrl = `http://127.0.0.1:${port}`
  user = bearer(await tokenFor('anna'))
  admin = await adminClient(adminUrl)
  await until(async () => (await admin.done(stats, 'GET', '/stats')).index.isComplete)
})

afterAll(async () => {
  await program.end('SIGKILL')
  for (const folder of folders) await folder.dispose()
})

const TUS = { 'Tus-Resumable': '1.0.0' }
const OCTETS = { ...TUS, 'Content-Type': 'application/offset+octet-stream' }

/** Creates an upload with its first bytes. @returns its id. */
async function upload(name: string, length: number, bytes: Uint8Array<ArrayBuffer> = Buffer.alloc(0)): Promise<string> {
  const metadata = `filename ${Buffer.from(name).toString('base64')}`
  const response = await fetch(`${program.url}/files`, {
    method: 'POST',
    headers: { ...user, ...TUS, 'Upload-Length': String(length), 'Upload-Metadata': metadata },
  })
  const url = new URL(response.headers.get('Location') ?? '', program.url)
  if (bytes.length > 0) {
    await fetch(url, { method: 'PATCH', headers: { ...user, ...OCTETS, 'Upload-Offset': '0' }, body: bytes })
  }
  return path.basename(url.pathname)
}

const show = (id: string) => admin.done(uploadDetails, 'GET', `/uploads/${id}`)
const list = (query: string) => admin.done(uploadPage, 'GET', `/uploads?${query}`)
const idsOf = async (query: string): Promise<string[]> => (await list(query)).uploads.map(({ id }) => id)
/** Waits until the list has these uploads. */
const listed = (query: string, ids: readonly string[]): Promise<void> =>
  until(async () => JSON.stringify(await idsOf(query)) === JSON.stringify(ids))

describe('The description of the admin API', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const found = await validator.validate(structuredClone(admin.description))
    expect([found.errors, found.valid, validator.version]).toEqual([undefined, true, '3.1'])
  })
})

describe('The admin API', () => {
  it('lists uploads by state, name, owner, age, size, and id, page by page', async () => {
    const [b, a, c] = [await upload('list-b.txt', 30), await upload('List-a.txt', 20), await upload('list-c.txt', 10)]
    await listed('namePrefix=LIST-&sort=name', [a, b, c])
    expect(await idsOf('namePrefix=list-')).toEqual([c, a, b])
    expect(await idsOf('nameContains=IST-&sort=size&order=asc')).toEqual([c, a, b])
    const { owner, createdAt } = await show(a)
    expect(await idsOf(`namePrefix=list-&owner=${owner}&state=receiving&olderThan=${createdAt}`)).toEqual([b])
    expect(await idsOf(`namePrefix=list-&newerThan=${createdAt}&order=asc`)).toEqual([a, c])
    expect(await idsOf(`idPrefix=${a.slice(0, 12)}`)).toEqual([a])
    expect(await idsOf('namePrefix=list-&state=finished,failed')).toEqual([])
    expect(await idsOf('namePrefix=list-&owner=none')).toEqual([])
    const first = await list('namePrefix=list-&sort=name&limit=2')
    expect([first.uploads.map(({ id }) => id), first.total]).toEqual([[a, b], 3])
    const second = await list(`namePrefix=list-&sort=name&limit=2&after=${first.next}`)
    expect([second.uploads.map(({ id }) => id), second.next]).toEqual([[c], null])
    expect((await admin.call('GET', `/uploads?sort=size&after=${first.next}`)).status).toBe(400)
  })

  it('shows an upload with its offset, and how it expires', async () => {
    const id = await upload('shown.bin', 1000, Buffer.alloc(400))
    const found = await show(id)
    expect(found).toMatchObject({ name: 'shown.bin', size: 1000, received: 400, offset: 400, ranges: [[0, 400]] })
    expect(found).toMatchObject({ state: 'receiving', protocol: 'tus', chunks: null, isPart: false, isOpen: true })
    expect(Date.parse(found.expiresAt ?? '') - Date.parse(found.changedAt)).toBe(604_800_000)
  })

  it('shows which chunks of a WebUploader file have arrived, and finds it by its task', async () => {
    const file = cut(Buffer.alloc(3 * 4096, 7), 4096, { task_id: 'wu_task_of_the_test', name: 'chunks.bin' })
    for (const chunk of [0, 2]) {
      const body = multipartBody(file.fields(chunk), file.bytes(chunk))
      const headers = { ...user, 'Content-Type': MULTIPART }
      await fetch(`${program.url}/upload/accept`, { method: 'POST', headers, body: new Uint8Array(body) })
    }
    await until(async () => (await list('task=wu_task_of_the_test')).uploads[0]?.received === 8192)
    const [line] = (await list('task=wu_task_of_the_test')).uploads
    expect(line).toMatchObject({ name: 'chunks.bin', protocol: 'webuploader', taskId: 'wu_task_of_the_test' })
    const { chunks, offset, ranges } = await show(line?.id ?? '')
    expect(chunks).toEqual({
      chunks: 3,
      chunkSize: 4096,
      received: [
        [0, 1],
        [2, 3],
      ],
      receivedCount: 2,
    })
    expect([offset, ranges]).toEqual([
      4096,
      [
        [0, 4096],
        [8192, 12288],
      ],
    ])
  })

  it('interrupts the requests of an upload, whose bytes stay', async () => {
    const id = await upload('interrupted.bin', 1_000_000)
    const wire = await connect(program.url)
    const headers = { ...user, ...OCTETS, 'Upload-Offset': 0, 'Content-Length': 1_000_000 }
    await wire.send(requestHead('PATCH', `/files/${id}`, headers), Buffer.alloc(100_000))
    await until(async () => (await show(id)).received === 100_000)
    expect((await show(id)).activeRequests).toBe(1)
    expect(await admin.done(interrupted, 'POST', `/uploads/${id}/interrupt`)).toEqual({ requests: 1 })
    expect((await wire.answer()).status).toBe(409)
    await wire.cut()
    expect(await show(id)).toMatchObject({ received: 100_000, activeRequests: 0 })
    expect(await admin.done(interrupted, 'POST', `/uploads/${id}/interrupt`)).toEqual({ requests: 0 })
  })

  it('releases a rejected file from quarantine, and downloads it', async () => {
    const content = Buffer.from('REJECT-ME, but not really')
    const id = await upload('rejected.txt', content.length, content)
    await listed('namePrefix=rejected&state=rejected', [id])
    expect(await show(id)).toMatchObject({ state: 'rejected', canRelease: true, hooks: { scan: 'rejected' } })
    expect((await admin.call('GET', `/uploads/${id}/content`)).status).toBe(409)
    const released = await admin.done(uploadLine, 'POST', `/uploads/${id}/release`)
    expect(released).toMatchObject({ state: 'finished', failure: null, expiresAt: null })
    expect((await admin.call('GET', `/uploads/${id}/content`)).body).toBe(content.toString())
    await listed('namePrefix=rejected&state=finished', [id])
    expect((await admin.call('POST', `/uploads/${id}/release`)).status).toBe(409)
  })

  it('finishes an upload that waits for its scan, and refuses others', async () => {
    const content = Buffer.from('HOLD-admin')
    const id = await upload('held.txt', content.length)
    const sent = fetch(`${program.url}/files/${id}`, {
      method: 'PATCH',
      headers: { ...user, ...OCTETS, 'Upload-Offset': '0' },
      body: content,
    })
    await listed('namePrefix=held&state=scanning', [id])
    const finished = admin.done(uploadLine, 'POST', `/uploads/${id}/finish`)
    await makeScanner(folders[1]?.path ?? '').then((scanner) => scanner.release('admin'))
    expect(await finished).toMatchObject({ state: 'finished', received: content.length })
    await sent
    expect((await admin.call('POST', `/uploads/${id}/finish`)).status).toBe(409)
    expect((await admin.call('POST', `/uploads/${id}/extend`)).status).toBe(409)
  })

  it('deletes an upload, unless only unfinished ones are meant', async () => {
    const [begun, whole] = [await upload('delete-a', 10), await upload('delete-b', 5, Buffer.from('hello'))]
    await listed('namePrefix=delete-&sort=state', [begun, whole])
    expect((await admin.call('DELETE', `/uploads/${whole}?onlyUnfinished=true`)).status).toBe(400)
    for (const id of [begun, whole]) expect((await admin.call('DELETE', `/uploads/${id}`)).status).toBe(204)
    await listed('namePrefix=delete-', [])
    expect((await admin.call('GET', `/uploads/${begun}`)).status).toBe(410)
    expect((await admin.call('GET', `/uploads/${'0'.repeat(32)}`)).status).toBe(404)
  })

  it('sweeps only what has expired', async () => {
    await upload('young', 10)
    expect(await admin.done(sweepResult, 'POST', '/sweep', { dryRun: true })).toMatchObject({ expired: 0, bytes: 0 })
    expect(await admin.done(sweepResult, 'POST', '/sweep')).toMatchObject({ dryRun: false, expired: 0, bytes: null })
  })

  it('lists dead letters, queues one again, and deletes one', async () => {
    const letters = new DeadLetters(new Layout(dataDir).outbox)
    const endpoint = endpointName(new URL(WEBHOOK))
    const ids = ['1', '2'].map((digit) => `evt_${digit.repeat(32)}`)
    for (const id of ids) {
      const facts = { type: 'finished', upload: 'any', createdAt: '2026-11-23T00:00:00.000Z', at: Date.now() } as const
      await letters.add({ id, ...facts, body: {} }, endpoint, 'status 500')
    }
    const page = await admin.done(deadLetterPage, 'GET', '/dead-letters?limit=1')
    expect(page).toMatchObject({
      total: 2,
      deadLetters: [{ event: ids[0], host: 'http://127.0.0.1:9', why: 'status 500' }],
    })
    const next = await admin.done(deadLetterPage, 'GET', `/dead-letters?after=${page.next}`)
    const names = [...page.deadLetters, ...next.deadLetters].map(({ id }) => id)
    expect(names).toEqual(ids.map((id) => `${id}.${endpoint}`))
    expect((await admin.call('POST', `/dead-letters/${names[0]}/retry`)).status).toBe(204)
    expect((await admin.call('DELETE', `/dead-letters/${names[1]}`)).status).toBe(204)
    expect((await admin.call('DELETE', `/dead-letters/${names[1]}`)).status).toBe(404)
    expect((await admin.done(deadLetterPage, 'GET', '/dead-letters')).deadLetters).toEqual([])
  })

  it('creates tokens that clients can use', async () => {
    const created = await admin.done(tokenAnswer, 'POST', '/tokens', { sub: 'bert', expires_in: 60 })
    const headers = { ...bearer(created.token), ...TUS, 'Upload-Length': '1' }
    expect((await fetch(`${program.url}/files`, { method: 'POST', headers })).status).toBe(201)
    expect((await admin.call('POST', '/tokens', { sub: 'bert' })).status).toBe(400)
  })

  it('shows settings without a secret', async () => {
    const { settings } = await admin.done(settingsAnswer, 'GET', '/settings')
    const shownValue = (name: string) => settings.find((one) => one.name === name)?.value
    expect([shownValue('ADMIN_TOKEN'), shownValue('JWT_SECRET'), shownValue('SECRET')]).toEqual(['***', '***', ''])
    expect([shownValue('WEBHOOK_URLS'), shownValue('FILE_MODE')]).toEqual(['http://127.0.0.1:9/***', '0640'])
    expect(JSON.stringify(settings)).not.toContain(JWT_SECRET)
  })

  it('counts uploads by state', async () => {
    const before = await admin.done(stats, 'GET', '/stats')
    await upload('counted', 5, Buffer.from('hello'))
    await until(async () => {
      const { uploads, total } = await admin.done(stats, 'GET', '/stats')
      const isCounted = uploads.finished.count === before.uploads.finished.count + 1
      return isCounted && total.bytes === before.total.bytes + 5
    })
    expect(before).toMatchObject({ store: 'disk', isReady: true, webhooks: { endpoints: 1 } })
    expect(before.disk?.free).toBeGreaterThan(0)
  })

  it('sends what happens as events', async () => {
    const abort = new AbortController()
    const headers = bearer(ADMIN_TOKEN)
    const stream = await fetch(`${adminUrl}/admin/v1/events`, { headers, signal: abort.signal })
    if (stream.body === null) throw new Error('The stream has no body.')
    const events = eventsOf(stream.body)
    expect((await events.next()).value).toMatchObject({ event: 'stats' })
    const id = await upload('followed', 5, Buffer.from('hello'))
    const types: string[] = []
    for await (const one of events) {
      admin.checkEvent(one)
      const { data } = z.object({ data: z.looseObject({ type: z.string().optional() }) }).parse(one)
      if (JSON.stringify(one).includes(id) && data.type !== undefined) types.push(data.type)
      if (types.includes('finished')) break
    }
    abort.abort()
    expect(types.filter((type) => type !== 'changed')).toEqual(['created', 'finished'])
    expect(stream.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8')
  })

  it('refuses unknown fields, long bodies, and paths that are none', async () => {
    expect((await admin.call('GET', '/uploads?what=ever')).status).toBe(400)
    expect((await admin.call('POST', '/sweep', { dryRun: 'yes' })).status).toBe(400)
    expect((await admin.call('GET', '/nothing')).status).toBe(404)
    expect((await admin.call('PUT', '/uploads')).status).toBe(405)
    const body = JSON.stringify({ sub: 'a'.repeat(20_000), expires_in: 1 })
    const response = await fetch(`${adminUrl}/admin/v1/tokens`, { method: 'POST', headers: bearer(ADMIN_TOKEN), body })
    expect([response.status, response.headers.get('Upload-Error')]).toEqual([413, 'too_large'])
  })

  it('has answered every operation as described', async () => {
    await admin.done(uploadLine, 'POST', `/uploads/${await upload('extended', 10)}/extend`)
    await admin.done(NOTHING, 'GET', '/openapi.json')
    const operations = Object.values(admin.description.paths).flatMap((methods) => Object.values(methods))
    const left = operations.map(({ operationId }) => operationId).filter((id) => !admin.succeeded.has(id))
    // The stream of events has a test of its own.
    expect(left).toEqual(['followEvents'])
  })
})

describe('Each operation of the admin API', () => {
  it('refuses requests without credentials, with wrong ones, and with those of users', async () => {
    const wrong = [
      {},
      bearer(ADMIN_TOKEN.slice(1)),
      { Authorization: `Basic ${ADMIN_TOKEN}` },
      { Cookie: `token=${ADMIN_TOKEN}` },
      bearer(await tokenFor('anna', { role: ['admin'], exp: 1 })),
    ]
    const users = [user, bearer(await tokenFor('anna', { role: 'administrator' })), bearer(await tokenFor('admin'))]
    for (const [path, methods] of Object.entries(admin.description.paths)) {
      for (const method of Object.keys(methods)) {
        const url = `${adminUrl}${path.replace('{id}', `evt_${'0'.repeat(32)}.abc`)}`
        const statusWith = async (headers: Readonly<Record<string, string>>): Promise<string> =>
          `${method} ${path} ${(await fetch(url, { method, headers })).status}`
        for (const headers of wrong) expect(await statusWith(headers)).toBe(`${method} ${path} 401`)
        for (const headers of users) expect(await statusWith(headers)).toBe(`${method} ${path} 403`)
      }
    }
  })

  it('accepts a token with the claim of administrators, but no upload token', async () => {
    for (const role of ['admin', ['reader', 'admin']]) {
      const headers = bearer(await tokenFor('anna', { role }))
      expect((await fetch(`${adminUrl}/admin/v1/stats`, { headers })).status).toBe(200)
    }
    const { token } = await admin.done(tokenAnswer, 'POST', '/tokens', { sub: 'role=admin', expires_in: 60 })
    expect((await fetch(`${adminUrl}/admin/v1/stats`, { headers: bearer(token) })).status).toBe(401)
  })
})

describe('Without ADMIN_TOKEN and ADMIN_CLAIM', () => {
  it('there is no admin API', async () => {
    const port = await freePort()
    const folder = await temporaryFolder()
    const bare = await startProgram({ DATA_DIR: folder.path, ADMIN_PORT: String(port), LOG_LEVEL: 'silent' })
    const response = await fetch(`http://127.0.0.1:${port}/admin/v1/stats`, { headers: bearer(ADMIN_TOKEN) })
    expect([response.status, response.headers.get('WWW-Authenticate')]).toEqual([404, null])
    await bare.end('SIGKILL')
    await folder.dispose()
  })
})
