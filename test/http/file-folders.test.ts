/** The setting FOLDER, as clients and an operator see it. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { readRecordFile } from '../../server/disk/record-file.ts'
import { landAll } from '../support/chunks.ts'
import { create as createByDraft } from '../support/draft.ts'
import { folderOf, innermostFolders } from '../support/finished-files.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { create, createUpload, head, idOf, locationOf, patch, TUS } from '../support/tus.ts'
import { complete, cut } from '../support/webuploader.ts'

const HELLO = Buffer.from('Hello, world!')
const NAMED = { 'Upload-Metadata': `filename ${Buffer.from('a.txt').toString('base64')}` }

let service: TestService
afterEach(() => service.close())

const files = (): string => path.join(service.dataDir, 'files')
/** The finished files, relative to the directory of all. */
async function stored(): Promise<string[]> {
  const folders = await innermostFolders(files())
  const names = await Promise.all(folders.map(async (folder) => (await readdir(folder)).map((n) => `${folder}/${n}`)))
  return names.flat().map((file) => path.relative(files(), file))
}

/** The day on which an upload was created, as a folder. */
async function dayOf(id: string): Promise<string> {
  const record = await readRecordFile(new Layout(service.dataDir).record(id), id)
  if (typeof record === 'string') throw new Error(`The record is ${record}.`)
  return record.createdAt.slice(0, 10).replaceAll('-', '/')
}

const whole = (headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  create(
    service.url,
    { ...NAMED, 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream', ...headers },
    HELLO,
  )

describe('With FOLDER, a file', () => {
  it.each([
    [
      'of tus',
      async () => {
        const url = await createUpload(service.url, 13, { filename: 'a.txt' })
        expect((await patch(url, 0, HELLO)).status).toBe(204)
        return url
      },
    ],
    ['of tus in one request', async () => locationOf(await whole(), service.url)],
    [
      'of the draft',
      async () => {
        const disposition = { 'Content-Disposition': 'attachment; filename="a.txt"' }
        const response = await createByDraft(service.url, true, HELLO, disposition)
        return locationOf(response, service.url)
      },
    ],
    ['of WebUploader', async () => service.url + (await landAll(service.url, cut(HELLO, 5, { name: 'a.txt' }))).url],
    [
      'put together from parts',
      async () => {
        const partial = { 'Upload-Concat': 'partial', 'Upload-Length': '13' }
        const part = locationOf(await create(service.url, partial), service.url)
        await patch(part, 0, HELLO)
        expect(await folderOf(new Layout(service.dataDir), idOf(part))).toBeUndefined()
        const final = { ...NAMED, 'Upload-Concat': `final;${new URL(part).pathname}` }
        return locationOf(await create(service.url, final), service.url)
      },
    ],
  ])('%s is in the folder of its day, and clients notice nothing', async (_, upload) => {
    service = await startService({ FOLDER: '{yyyy}/{mm}/{dd}' })
    const url = await upload()
    const id = idOf(url)
    expect(await stored()).toEqual([`${await dayOf(id)}/${id}/a.txt`])
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([200, HELLO.toString()])
    expect(response.headers.get('Content-Disposition')).toMatch(/filename="?a\.txt/)
    expect((await head(url)).headers.get('Upload-Offset')).toBe('13')
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    expect(await readdir(files())).toEqual([])
  })

  it('of a page is found by complete', async () => {
    service = await startService({ FOLDER: 'pages' })
    const file = cut(HELLO, 5, { name: 'a.txt' })
    const { id } = await landAll(service.url, file)
    service = await service.restart()
    const response = await complete(service.url, { task_id: String(file.common.task_id) })
    expect(await response.json()).toMatchObject({ ok: true, name: 'a.txt', size: 13 })
    expect(await stored()).toEqual([`pages/${id}/a.txt`])
  })

  it('stays where it is when the setting changes, begun or finished', async () => {
    service = await startService({ FOLDER: 'first' })
    const [done, begun] = [await createUpload(service.url, 13), await createUpload(service.url, 13)]
    await patch(done, 0, HELLO)
    await patch(begun, 0, HELLO.subarray(0, 5))
    const old = locationOf(await whole(), service.url)
    for (const FOLDER of ['second/{yyyy}', '']) {
      service = await service.restart({ FOLDER })
      const at = (url: string): string => service.url + new URL(url).pathname
      expect(await (await fetch(at(done))).text()).toBe(HELLO.toString())
      expect(await (await fetch(at(old))).text()).toBe(HELLO.toString())
    }
    await patch(service.url + new URL(begun).pathname, 5, HELLO.subarray(5))
    const fresh = locationOf(await whole(), service.url)
    expect((await stored()).sort()).toEqual(
      [
        `first/${idOf(done)}/file`,
        `first/${idOf(begun)}/file`,
        `first/${idOf(old)}/a.txt`,
        `${idOf(fresh)}/a.txt`,
      ].sort(),
    )
  })

  it('is in that of its owner, which others cannot tell', async () => {
    service = await startService({ FOLDER: '{owner}', AUTH: 'jwt', JWT_SECRET })
    const [alice, bob] = [bearer(await tokenFor('alice')), bearer(await tokenFor('../bob'))]
    const places = new Map<string, Set<string>>()
    for (const [name, credentials] of [['alice', alice] as const, ['alice', alice] as const, ['bob', bob] as const]) {
      const url = locationOf(await whole(credentials), service.url)
      const place = (await stored()).find((file) => file.includes(idOf(url))) ?? ''
      expect(place).toMatch(/^[0-9a-f]{32}\/[0-9a-f]{32}\/a\.txt$/)
      places.set(name, (places.get(name) ?? new Set()).add(path.dirname(path.dirname(place))))
    }
    expect([...places.values()].map(({ size }) => size)).toEqual([1, 1])
    expect(await readdir(files())).toHaveLength(2)
  })
})

describe('Without FOLDER, a file', () => {
  it('is where it was, and so is everything else', async () => {
    service = await startService()
    const id = idOf(locationOf(await whole(), service.url))
    expect(await stored()).toEqual([`${id}/a.txt`])
    expect(await readFile(path.join(service.dataDir, 'format'), 'utf8')).toBe('1\n')
    const record = await readFile(new Layout(service.dataDir).record(id), 'utf8')
    expect(record).not.toContain('folder')
  })
})
