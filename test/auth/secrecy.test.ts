import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { bearer, inSeconds, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { idOf, locationOf, PATCH_HEADERS, TUS } from '../support/tus.ts'

const TOKEN_KEY = 'the-key-of-the-application-32+-bytes'
const SECRET = 'a secret of the service, 32+ bytes'

let folder: TemporaryFolder
let program: Program
let logged = ''
beforeEach(async () => {
  folder = await temporaryFolder()
  program = await startProgram({
    AUTH: 'jwt',
    JWT_SECRET,
    TOKEN_KEY,
    SECRET,
    AUTH_COOKIE: 'session',
    AUTH_FIELD: 'token',
    DATA_DIR: folder.path,
    LOG_LEVEL: 'trace',
  })
  for (const stream of [program.process.stdout, program.process.stderr]) {
    stream?.on('data', (text) => {
      logged += text
    })
  }
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

/** The names and contents of everything in the data directory. */
async function stored(): Promise<string> {
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
  const contents = await Promise.all(files.map((file) => readFile(file, 'latin1')))
  return [...files, ...contents].join('\n')
}

describe('Tokens, keys, and links', () => {
  it('are in no log, no URL, and no file of the service', async () => {
    const base = program.url
    const told: string[] = []
    const send = async (url: string, method: string, headers: Readonly<Record<string, string>>, body?: BodyInit) => {
      const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
      told.push(JSON.stringify([...response.headers]))
      return response
    }
    const create = (headers: Readonly<Record<string, string>>, query = '') =>
      send(`${base}/files${query}`, 'POST', { ...TUS, 'Upload-Length': '10', ...headers })

    const tokens = {
      header: await tokenFor('header'),
      cookie: await tokenFor('cookie'),
      field: await tokenFor('field'),
      query: await tokenFor('query'),
      expired: await tokenFor('expired', { exp: inSeconds(-60) }),
      malformed: `${await tokenFor('malformed')}x`,
      restricted: await tokenFor('restricted', { landfall: { may: ['read'] } }),
    }
    const url = locationOf(await create(bearer(tokens.header)), base)
    await send(url, 'PATCH', { ...PATCH_HEADERS, 'Upload-Offset': '0', ...bearer(tokens.header) }, bytesOf(10))
    expect((await create({ Cookie: `session=${tokens.cookie}` })).status).toBe(201)
    expect((await create(bearer(tokens.expired))).status).toBe(401)
    expect((await create(bearer(tokens.malformed))).status).toBe(401)
    expect((await create(bearer(tokens.restricted))).status).toBe(403)
    expect((await create(bearer(tokens.header), `?token=${tokens.query}`)).status).toBe(201)
    const form = new FormData()
    for (const [name, value] of Object.entries({ token: tokens.field, task_id: 'task', name: 'a.bin', size: '10' })) {
      form.append(name, value)
    }
    form.append('file', new Blob([bytesOf(10)]), 'a.bin')
    await send(`${base}/upload/accept`, 'POST', {}, form)
    await send(`${base}/upload/complete?task_id=task&token=${tokens.query}`, 'GET', {})

    const body = JSON.stringify({ sub: 'alice', expires_in: 60 })
    const answer = await send(`${base}/tokens`, 'POST', bearer(TOKEN_KEY), body)
    const { token } = z.object({ token: z.string() }).parse(JSON.parse(await answer.text()))
    expect((await create(bearer(token))).status).toBe(201)
    expect((await send(`${base}/tokens`, 'POST', bearer(token), body)).status).toBe(401)

    const linked = await send(`${url}/link`, 'POST', bearer(tokens.header))
    const link = idOf(z.object({ url: z.string() }).parse(JSON.parse(await linked.text())).url)
    expect((await send(`${base}/files/${link}`, 'GET', {})).status).toBe(200)
    expect((await send(`${base}/files/${link}`, 'GET', { 'If-Match': '"other"' })).status).toBe(412)
    expect((await send(`${base}/files/${link}`, 'DELETE', { ...TUS, ...bearer(tokens.header) })).status).toBe(404)

    await program.end('SIGTERM')
    expect(logged).toContain('The token has expired.')
    const everything = [logged, await stored(), ...told].join('\n')
    const secrets = [...Object.values(tokens), token, link, TOKEN_KEY, JWT_SECRET, SECRET]
    expect(secrets.filter((secret) => everything.includes(secret))).toEqual([])
    // Not even a signature, which would complete what someone knows of a token.
    const signatures = [...Object.values(tokens), token].map((text) => text.split('.')[2] ?? '')
    expect(signatures.filter((signature) => everything.includes(signature))).toEqual([])
  })
})
