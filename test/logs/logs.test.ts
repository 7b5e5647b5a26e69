import { spawnSync } from 'node:child_process'
import { readFile, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { has, linesIn, type Written, written } from '../support/lines.ts'
import { type Program, startProgram } from '../support/program.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { create, createUpload, head, idOf, locationOf, PATCH_HEADERS, patch, patchWith, TUS } from '../support/tus.ts'
import { complete, cut, multipartBody, post, sendChunk } from '../support/webuploader.ts'
import { codedPiece, connect, requestHead, until } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url))
const TELEMETRY = new URL('../support/open-telemetry.mjs', import.meta.url).href

let folder: TemporaryFolder
let program: Program
let log: Written

async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  folder = await temporaryFolder()
  program = await startProgram({ DATA_DIR: path.join(folder.path, 'data'), LOG_LEVEL: 'info', ...settings })
  log = written(program)
}

async function stop(): Promise<void> {
  await program.end('SIGKILL')
  await folder.dispose()
}

/** An upload that fails with its last byte. */
function uploadWithWrongDigest(): Promise<Response> {
  const digest = `sha-256=:${Buffer.alloc(32).toString('base64')}:`
  return fetch(`${program.url}/files`, {
    method: 'POST',
    headers: { 'Upload-Draft-Interop-Version': '8', 'Upload-Complete': '?1', 'Repr-Digest': digest },
    body: bytesOf(5_000),
  })
}

describe('The log', () => {
  beforeAll(() => start({ ACCESS_LOG: 'on', NODE_NAME: 'node-7', EXPIRES_AFTER: '1' }))
  afterAll(stop)

  it('has a line for each upload that is created, finished, failed, deleted, or expired', async () => {
    const url = await createUpload(program.url, 10)
    const upload = idOf(url)
    const created = await log.found({ event: 'created', upload })
    expect(created).toMatchObject({ level: 30, protocol: 'tus', size: 10, node: 'node-7', msg: 'Upload created.' })
    const finishing = await patch(url, 0, bytesOf(10))
    const finished = await log.found({ event: 'finished', upload })
    expect(finished['request']).toBe(finishing.headers.get('X-Request-Id'))
    expect(finished).toMatchObject({ protocol: 'tus', size: 10, duration: expect.any(Number) })
    await fetch(url, { method: 'DELETE', headers: TUS })
    await log.found({ event: 'deleted', upload, protocol: 'tus' })
    await uploadWithWrongDigest()
    expect(await log.found({ event: 'failed' })).toMatchObject({ code: 'digest_mismatch', protocol: 'draft' })
    const left = idOf(await createUpload(program.url, 10))
    const expired = await log.found({ event: 'expired', upload: left })
    expect(expired).not.toHaveProperty('request')
  })

  it('has a line for each request, with its route, upload, status, code, and bytes', async () => {
    const url = await createUpload(program.url, 10)
    const response = await patch(url, 0, bytesOf(10))
    const request = response.headers.get('X-Request-Id')
    const line = await log.found({ request, msg: 'Request ended.' })
    expect(line).toMatchObject({
      method: 'PATCH',
      route: '/files/:id',
      protocol: 'tus',
      status: 204,
      upload: idOf(url),
      address: '127.0.0.1',
      received: 10,
      sent: 0,
      firstByte: expect.any(Number),
      duration: expect.any(Number),
    })
    expect(line).not.toHaveProperty('code')
    const refused = (await head(`${program.url}/files/unknown`)).headers.get('X-Request-Id')
    const error = await log.found({ request: refused, msg: 'Request ended.' })
    expect(error).toMatchObject({ status: 404, code: 'not_found' })
    expect(error).not.toHaveProperty('upload')
  })

  it('has a line for a request that is not valid HTTP, with the id in the response', async () => {
    const answerTo = async (...parts: (string | Uint8Array)[]): Promise<string | null> => {
      const wire = await connect(program.url)
      await wire.send(...parts)
      const { headers } = await wire.answer()
      await wire.closed
      return headers.get('X-Request-Id')
    }
    const ofNonsense = await log.found({ request: await answerTo('nonsense\r\n\r\n'), msg: 'Request ended.' })
    expect(ofNonsense).toMatchObject({ method: '', status: 400, code: 'bad_request', address: '127.0.0.1' })
    const head = 'POST /files HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nX-Request-Id: edge-2\r\nbad\r\n\r\n'
    expect(await answerTo(head)).toBe('edge-2')
    const ofCreation = await log.found({ request: 'edge-2', msg: 'Request ended.' })
    expect(ofCreation).toMatchObject({ method: 'POST', protocol: 'tus', status: 400, sent: expect.any(Number) })
    expect(ofCreation).not.toHaveProperty('aborted')
    const url = new URL(await createUpload(program.url, 10))
    const chunked = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' }
    const ofBody = await answerTo(requestHead('PATCH', url.pathname, chunked), codedPiece(Buffer.from('abc')), 'zz\r\n')
    const cut = await log.found({ request: ofBody, msg: 'Request ended.' })
    expect(cut).toMatchObject({ upload: idOf(url.href), status: 400, code: 'bad_request', received: 3 })
    expect(cut).not.toHaveProperty('aborted')
  })

  it('has the id that a proxy has chosen, and replaces one that is none', async () => {
    const given = await fetch(`${program.url}/files`, { method: 'OPTIONS', headers: { 'X-Request-Id': 'edge/1:a=b' } })
    expect(given.headers.get('X-Request-Id')).toBe('edge/1:a=b')
    await log.found({ request: 'edge/1:a=b', msg: 'Request ended.' })
    for (const bad of ['a b', '"quoted"', 'x'.repeat(129)]) {
      const response = await fetch(`${program.url}/files`, { method: 'OPTIONS', headers: { 'X-Request-Id': bad } })
      expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})

describe('The log at info', () => {
  beforeAll(() =>
    start({
      AUTH: 'jwt',
      JWT_SECRET,
      AUTH_FIELD: 'token',
      AUTH_COOKIE: 'session',
      SECRET: 'topsecret-of-the-service-32-characters',
      ACCESS_LOG: 'on',
      SCAN_URL: 'http://user:topsecret@127.0.0.1:9/topsecret?key=topsecret',
      AUDIT_LOG: 'stderr',
    }),
  )
  afterAll(stop)

  it('has no file name, task, credential, or link, over all protocols', async () => {
    const token = await tokenFor('topsecret-user')
    const auth = bearer(token)
    const names = { filename: 'topsecret.pdf', 'topsecret-key': 'topsecret' }
    const pairs = Object.entries(names).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    const created = await create(
      `${program.url}`,
      { 'Upload-Length': '10', 'Upload-Metadata': pairs.join(','), ...auth },
      undefined,
    )
    const url = locationOf(created, program.url)
    await patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': '0', ...auth }, bytesOf(4))
    await fetch(url, { headers: auth })
    await fetch(`${program.url}/files`, {
      method: 'POST',
      headers: {
        'Upload-Draft-Interop-Version': '8',
        'Upload-Complete': '?0',
        'Content-Disposition': 'attachment; filename="topsecret.txt"',
        ...auth,
      },
      body: bytesOf(10),
    })
    const file = cut(bytesOf(20), 10, { task_id: 'topsecret-task', name: 'topsecret.bin' })
    await post(program.url, multipartBody(file.fields(0), file.bytes(0)), undefined, `?token=${token}`)
    await sendChunk(program.url, file.fields(1), file.bytes(1))
    await complete(program.url, { task_id: 'topsecret-task', name: 'topsecret.bin', token })
    await fetch(`${program.url}/topsecret/${token}`)
    await fetch(`${program.url}/files/~topsecretlink`)
    const last = await fetch(`${program.url}/files`, { method: 'OPTIONS', headers: { Cookie: `session=${token}` } })
    await log.found({ request: last.headers.get('X-Request-Id') })
    const events = log.lines().filter((line) => 'event' in line)
    expect(new Set(events.map((line) => line['protocol']))).toEqual(new Set(['tus', 'draft', 'webuploader']))
    expect(log.text()).not.toContain(token)
    expect(log.text()).not.toMatch(/topsecret/i)
  })

  it('begins with the settings that were changed, without secrets', () => {
    const [first] = log.lines()
    expect(first).toMatchObject({
      msg: 'Landfall starts.',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      settings: {
        AUTH: 'jwt',
        JWT_SECRET: '***',
        SECRET: '***',
        SCAN_URL: 'http://***:***@127.0.0.1:9/***?***',
      },
    })
    expect(first?.['settings']).not.toHaveProperty('MAX_SIZE')
  })
})

describe('The audit log', () => {
  let file: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    file = path.join(folder.path, 'audit.log')
  })
  afterEach(stop)

  async function startAudited(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const directory = path.join(folder.path, 'data')
    program = await startProgram({ DATA_DIR: directory, LOG_LEVEL: 'warn', AUDIT_LOG: file, ...settings })
    log = written(program)
  }

  const acts = async (from: string): Promise<readonly unknown[]> => (await linesIn(from)).map(({ act }) => act)

  it('says who created, finished, downloaded, and deleted an upload', async () => {
    await startAudited({ AUTH: 'jwt', JWT_SECRET })
    const auth = bearer(await tokenFor('alice'))
    const url = locationOf(await create(program.url, { 'Upload-Length': '10', ...auth }), program.url)
    await patchWith(url, { ...PATCH_HEADERS, 'Upload-Offset': '0', ...auth }, bytesOf(10))
    await (await fetch(url, { headers: auth })).text()
    await until(async () => (await acts(file)).includes('downloaded'))
    await fetch(url, { method: 'DELETE', headers: { ...TUS, ...auth } })
    expect(await acts(file)).toEqual(['created', 'finished', 'downloaded', 'deleted'])
    const lines = await linesIn(file)
    expect(new Set(lines.map(({ upload }) => upload))).toEqual(new Set([idOf(url)]))
    expect(new Set(lines.map(({ by }) => by)).size).toBe(1)
    for (const line of lines) {
      expect(line).toMatchObject({ by: expect.any(String), address: '127.0.0.1', request: expect.any(String) })
    }
    expect(lines[2]).toMatchObject({ status: 200, sent: 10 })
  })

  it('loses no line when logrotate renames the file, and survives SIGHUP', async () => {
    await startAudited()
    const ids: string[] = []
    const uploading = (async () => {
      for (let i = 0; i < 40; i++) ids.push(idOf(await createUpload(program.url, 10)))
    })()
    await until(async () => ids.length >= 10)
    await rename(file, `${file}.1`)
    await until(async () => ids.length >= 20)
    program.process.kill('SIGHUP')
    await uploading
    const before = await linesIn(`${file}.1`)
    const after = await linesIn(file)
    expect([...before, ...after].map(({ upload }) => upload)).toEqual(ids)
    expect(before.length).toBeGreaterThan(0)
    expect(after.length).toBeGreaterThan(0)
  })

  it('does not stop the service on a full disk, and counts the lines that it drops', async () => {
    await symlink('/dev/full', file)
    await startAudited()
    for (let i = 0; i < 3; i++) await createUpload(program.url, 10)
    const warnings = log.lines().filter((line) => has(line, { level: 40 }))
    expect(warnings).toMatchObject([{ msg: 'The audit log cannot be written; its lines are dropped.' }])
    await rm(file)
    const id = idOf(await createUpload(program.url, 10))
    expect((await linesIn(file)).map(({ upload }) => upload)).toEqual([id])
    expect(await log.found({ dropped: 3 })).toMatchObject({ msg: 'The audit log is written again.' })
  })
})

describe('The program', () => {
  it('refuses an audit log that it cannot open, with a sentence', async () => {
    folder = await temporaryFolder()
    const settings = { DATA_DIR: path.join(folder.path, 'data'), AUDIT_LOG: folder.path }
    await expect(startProgram(settings)).rejects.toThrow(/AUDIT_LOG must be a file that can be written: EISDIR/)
    await folder.dispose()
  })

  it('logs lines for people with LOG_FORMAT=pretty', async () => {
    await start({ LOG_FORMAT: 'pretty' })
    await createUpload(program.url, 10)
    await until(async () => /INFO.*: Upload created\.\n +event: "created"/.test(log.text()))
    await stop()
  })

  it('logs the trace and the span of a request while OpenTelemetry runs', async () => {
    await start({ NODE_OPTIONS: `--import ${TELEMETRY}` })
    await createUpload(program.url, 10)
    const line = await log.found({ event: 'created' })
    expect(line).toMatchObject({ trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' })
    await stop()
  })

  it.each(['version', '--version'])('prints its version with %s', async (argument) => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    const { stdout, status } = spawnSync(process.execPath, [MAIN, argument], {
      env: { LANDFALL_REVISION: 'abc123' },
      encoding: 'utf8',
    })
    expect({ stdout, status }).toEqual({ stdout: `Landfall ${version} (abc123), Node ${process.version}\n`, status: 0 })
  })
})
