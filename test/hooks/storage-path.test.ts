/** The place that the hook pre-create chooses for a file. */
import { readdir } from 'node:fs/promises'
import type http from 'node:http'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { Layout } from '../../server/disk/layout.ts'
import { folderOf, innermostFolders } from '../support/finished-files.ts'
import { startService, type TestService } from '../support/service.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'
import { create, createUpload, idOf, locationOf, patch } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

const HELLO = Buffer.from('Hello, world!')
const NAMED = { 'Upload-Metadata': `filename ${Buffer.from('a.txt').toString('base64')}` }
const call = z.object({
  Type: z.string(),
  Event: z.object({ Upload: z.object({ ID: z.string(), Storage: z.object({ Path: z.string() }).nullable() }) }),
})

let receiver: StubServer
let service: TestService
/** What pre-create changes. */
let changes: Readonly<Record<string, unknown>>
let finished: z.output<typeof call>[]

beforeEach(async () => {
  changes = {}
  finished = []
  receiver = await startStub(answer)
  service = await startService({
    HOOKS_URL: receiver.url,
    HOOKS_EVENTS: 'pre-create,post-finish',
    FOLDER: 'default',
    ALLOWED_TYPES: '.txt,.md',
  })
})
afterEach(async () => {
  await service.close()
  await receiver.close()
})

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  let text = ''
  for await (const piece of request) text += String(piece)
  const told = call.parse(JSON.parse(text))
  if (told.Type === 'post-finish') finished.push(told)
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify(told.Type === 'pre-create' ? { ChangeFileInfo: changes } : {}))
}

async function upload(): Promise<string> {
  const url = await createUpload(service.url, 13, { filename: 'a.txt' })
  expect((await patch(url, 0, HELLO)).status).toBe(204)
  return idOf(url)
}

async function stored(): Promise<string[]> {
  const files = path.join(service.dataDir, 'files')
  const folders = await innermostFolders(files)
  const found = await Promise.all(folders.map(async (folder) => (await readdir(folder)).map((n) => `${folder}/${n}`)))
  return found.flat().map((file) => path.relative(files, file))
}

describe('ChangeFileInfo.Storage.Path', () => {
  it('chooses the folder and the name of a file, instead of FOLDER, and post-finish reports the whole path', async () => {
    changes = { Storage: { Path: 'customers/17/Report 1.md' } }
    const id = await upload()
    const place = `customers/17/${id}/Report 1.md`
    expect(await stored()).toEqual([place])
    await until(async () => finished.length > 0)
    expect(finished[0]?.Event.Upload.Storage?.Path).toBe(path.join(service.dataDir, 'files', place))
    const response = await fetch(`${service.url}/files/${id}`)
    expect(await response.text()).toBe(HELLO.toString())
    expect(response.headers.get('Content-Disposition')).toMatch(/filename="?a\.txt/)
  })

  it('may be only a name', async () => {
    changes = { Storage: { Path: 'b.txt' } }
    expect(await stored()).toEqual([])
    const id = await upload()
    expect(await stored()).toEqual([`${id}/b.txt`])
  })

  it('is exact if it ends with the id, which the hook has chosen, too', async () => {
    changes = { ID: 'chosen', Storage: { Path: 'a/chosen/b.txt' } }
    await upload()
    expect(await stored()).toEqual(['a/chosen/b.txt'])
  })

  it('may be the same for many files, of which none replaces another', async () => {
    changes = { Storage: { Path: 'same/b.txt' } }
    const ids = await Promise.all([upload(), upload(), upload(), upload()])
    expect((await stored()).sort()).toEqual(ids.map((id) => `same/${id}/b.txt`).sort())
  })

  it('is that of a WebUploader file, too', async () => {
    changes = { Storage: { Path: 'pages/b.txt' } }
    const file = cut(HELLO, 100, { name: 'a.txt' })
    const response = await sendChunk(service.url, file.fields(0), file.bytes(0))
    const { id } = z.object({ id: z.string() }).parse(await response.json())
    expect(await stored()).toEqual([`pages/${id}/b.txt`])
  })

  it('without one, leaves a file in FOLDER', async () => {
    changes = { MetaData: { filename: 'c.txt' } }
    const id = await upload()
    expect(await stored()).toEqual([`default/${id}/c.txt`])
  })

  it('is ignored for a part, which never becomes a file', async () => {
    changes = { Storage: { Path: 'parts/b.txt' } }
    const partial = { 'Upload-Concat': 'partial', 'Upload-Length': '13' }
    const part = locationOf(await create(service.url, partial), service.url)
    expect(await folderOf(new Layout(service.dataDir), idOf(part))).toBeUndefined()
    await patch(part, 0, HELLO)
    changes = {}
    const final = { ...NAMED, 'Upload-Concat': `final;${new URL(part).pathname}` }
    const id = idOf(locationOf(await create(service.url, final), service.url))
    expect(await stored()).toEqual([`default/${id}/a.txt`])
  })

  it('must have a name of an accepted type', async () => {
    changes = { Storage: { Path: 'a/b.exe' } }
    expect((await create(service.url, { ...NAMED, 'Upload-Length': '13' })).status).toBe(415)
  })

  const WRONG = ['/etc/a.txt', '../a.txt', 'a/../../b.txt', 'a//b.txt', 'a/', 'a\\b.txt', 'a\0/b.txt', '.a/b.txt']
  it.each(WRONG)('refuses %j, and creates nothing', async (Path) => {
    changes = { Storage: { Path } }
    const response = await create(service.url, { ...NAMED, 'Upload-Length': '13' })
    const body = await response.text()
    expect([response.status, body.includes(JSON.stringify(Path).slice(1, -1))]).toEqual([500, false])
    expect(await readdir(path.join(service.dataDir, 'incoming'))).toEqual([])
    expect(await readdir(service.dataDir)).not.toContain('a.txt')
  })
})
