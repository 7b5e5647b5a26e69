import { execFile } from 'node:child_process'
import { readdir, stat, writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { parseSettings } from '../../server/read-settings.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startCommand } from '../support/program.ts'
import { PATCH_HEADERS, TUS } from '../support/tus.ts'

const PROGRAM = fileURLToPath(new URL('../../dist/program', import.meta.url))

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let socketPath: string
let programs: Program[]
beforeEach(async () => {
  folder = await temporaryFolder()
  socketPath = path.join(folder.path, 'landfall.sock')
  programs = []
})
afterEach(async () => {
  await Promise.all(programs.map((program) => program.end('SIGKILL')))
  await folder.dispose()
})

const settings = (dataDir: string): Readonly<Record<string, string>> => ({
  PATH: process.env['PATH'] ?? '',
  UNIX_SOCKET: socketPath,
  TRUST_PROXY: 'true',
  LOG_LEVEL: 'warn',
  DATA_DIR: path.join(folder.path, dataDir),
})

async function begin(dataDir = 'data'): Promise<Program> {
  const program = await startCommand([process.execPath, `${PROGRAM}/main.js`], { env: settings(dataDir) })
  programs.push(program)
  return program
}

interface Response {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** A request of the proxy, for a client of 203.0.113.7. */
function ask(method: string, target: string, headers: Readonly<Record<string, string>> = {}, body = '') {
  return new Promise<Response>((resolve, reject) => {
    const all = { Host: 'up.example', 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https', ...headers }
    const request = http.request({ socketPath, method, path: target, headers: all, agent: false }, (response) => {
      let text = ''
      response.on('data', (bytes) => {
        text += bytes
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    request.on('error', reject).end(body)
  })
}

describe('A Unix socket', () => {
  it('serves uploads, for its owner and its group, and is removed at the end', async () => {
    const program = await begin()
    expect(program.url).toBe(`unix:${socketPath}`)
    const created = await ask('POST', '/files', { ...TUS, 'Upload-Length': '5' })
    expect(created.status).toBe(201)
    const { location = '' } = created.headers
    expect((await ask('PATCH', location, { ...PATCH_HEADERS, 'Upload-Offset': '0' }, 'hello')).status).toBe(204)
    expect((await ask('GET', location)).body).toBe('hello')
    const { mode } = await stat(socketPath)
    expect((mode & 0o777).toString(8)).toBe('660')
    expect(await program.end('SIGTERM')).toBe(0)
    expect(await readdir(folder.path)).toEqual(['data'])
  })

  it('is what the health check of the container asks', async () => {
    const check = () => promisify(execFile)(process.execPath, [`${PROGRAM}/healthcheck.js`], { env: settings('data') })
    await expect(check()).rejects.toMatchObject({ code: 1 })
    await begin()
    await expect(check()).resolves.toMatchObject({ stdout: '' })
  })

  it('is replaced when the process that left it was killed', async () => {
    await (await begin()).end('SIGKILL')
    expect((await stat(socketPath)).isSocket()).toBe(true)
    await begin()
    expect((await ask('GET', '/readyz')).status).toBe(200)
  })

  it('is not taken from a process that listens', async () => {
    await begin()
    await expect(begin('other')).rejects.toThrow(`Another process listens on the socket ${socketPath}.`)
    expect((await ask('GET', '/readyz')).status).toBe(200)
  })

  it('never replaces another file', async () => {
    await writeFile(socketPath, 'precious')
    await expect(begin()).rejects.toThrow(`UNIX_SOCKET ${socketPath} exists, and is no socket.`)
    expect((await stat(socketPath)).size).toBe('precious'.length)
  })
})

describe('UNIX_SOCKET', () => {
  it('needs a proxy that names the clients', () => {
    expect(() => parseSettings({ UNIX_SOCKET: socketPath })).toThrow(
      'UNIX_SOCKET must be set together with TRUST_PROXY.',
    )
  })

  it('is short enough for every OS', () => {
    const long = { UNIX_SOCKET: `/${'a'.repeat(100)}`, TRUST_PROXY: 'true' }
    expect(() => parseSettings(long)).toThrow('UNIX_SOCKET must be a path of at most 100 bytes.')
  })
})
