import { cp, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { doctor } from '../../server/doctor.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startServiceOn, type TestService } from '../support/service.ts'
import { create, head, locationOf, offsetOf, PATCH_HEADERS, patch, patchWith } from '../support/tus.ts'
import { contentOf, runImport } from './support.ts'

const RECORDED = fileURLToPath(new URL('tusd-2.9.2', import.meta.url))

let folder: TemporaryFolder
/** The folder of tusd. */
let source: string
let dataDir: string
let service: TestService | undefined
beforeEach(async () => {
  folder = await temporaryFolder()
  source = path.join(folder.path, 'tusd')
  dataDir = path.join(folder.path, 'data')
})
afterEach(async () => {
  await service?.close()
  service = undefined
  await folder.dispose()
})

/** Starts the service on the data directory. @returns the URL of an upload by its id. */
async function start(settings: Readonly<Record<string, string>> = {}): Promise<(id: string) => string> {
  service = await startServiceOn(dataDir, settings)
  const { url } = service
  return (id) => `${url}/files/${id}`
}

/** Adds an upload to the folder of tusd. */
async function add(name: string, description: object | string, bytes?: string): Promise<void> {
  await mkdir(source, { recursive: true })
  const text = typeof description === 'string' ? description : JSON.stringify(description)
  await writeFile(path.join(source, `${name}.info`), text)
  if (bytes !== undefined) await writeFile(path.join(source, name), bytes)
}

describe('landfall import tusd, on a recorded folder', () => {
  beforeEach(async () => {
    await cp(RECORDED, source, { recursive: true, preserveTimestamps: true })
  })

  it('takes every upload with its id and state, and lists the one whose id is a path', async () => {
    const { code, lines } = await runImport(dataDir, 'tusd', source)
    expect(code).toBe(1)
    expect([...lines].sort()).toEqual([
      'Imported: 6 finished, 4 unfinished. Already imported: 0. Not imported: 1.',
      'a/b.info: Its id "a/b" is not supported: an id has at most 200 letters, digits, dots, - and _. Not imported.',
      'begun: 6 of 11 bytes',
      'deferred: 3 of unknown bytes',
      'empty: 0 bytes',
      'finished: 11 bytes',
      'joined: 11 bytes',
      'part1: 6 bytes',
      'part2: 5 bytes',
      'part3: 3 of 5 bytes',
      'placed: 5 bytes',
      'untouched: 0 of 5 bytes',
    ])
  })

  it('leaves finished files that are downloaded under their names', async () => {
    await runImport(dataDir, 'tusd', source)
    const urlOf = await start()
    const download = await fetch(urlOf('finished'))
    expect(download.headers.get('Content-Disposition')).toContain(encodeURIComponent('测试 文件.txt'))
    expect(await download.text()).toBe('hello world')
    expect(await readdir(path.join(dataDir, 'files', 'finished'))).toEqual(['测试 文件.txt'])
    for (const [id, content] of [
      ['joined', 'hello world'],
      ['placed', 'hello'],
      ['empty', ''],
    ] as const) {
      expect([id, await (await fetch(urlOf(id))).text()]).toEqual([id, content])
    }
    expect((await head(urlOf('joined'))).headers.get('Upload-Concat')).toBe('final;/files/part1 /files/part2')
  })

  it('leaves unfinished uploads that resume, with their metadata', async () => {
    await runImport(dataDir, 'tusd', source)
    const urlOf = await start()
    expect((await head(urlOf('begun'))).headers.get('Upload-Metadata')).toBe('empty ,filename YmVndW4udHh0')
    expect(await offsetOf(urlOf('begun'))).toBe(6)
    expect((await patch(urlOf('begun'), 6, Buffer.from('world'))).status).toBe(204)
    expect(await (await fetch(urlOf('begun'))).text()).toBe('hello world')
    expect((await head(urlOf('deferred'))).headers.get('Upload-Defer-Length')).toBe('1')
    const rest = { ...PATCH_HEADERS, 'Upload-Offset': '3', 'Upload-Length': '5' }
    expect((await patchWith(urlOf('deferred'), rest, 'lo')).status).toBe(204)
    expect(await (await fetch(urlOf('deferred'))).text()).toBe('hello')
    expect((await patch(urlOf('untouched'), 0, Buffer.from('hello'))).status).toBe(204)
  })

  it('leaves parts that a client can finish and join', async () => {
    await runImport(dataDir, 'tusd', source)
    const urlOf = await start()
    expect((await head(urlOf('part3'))).headers.get('Upload-Concat')).toBe('partial')
    expect((await patch(urlOf('part3'), 3, Buffer.from('ld'))).status).toBe(204)
    const base = service?.url ?? ''
    const joined = await create(base, { 'Upload-Concat': `final;${urlOf('part1')} ${urlOf('part3')}` })
    expect(joined.status).toBe(201)
    expect(await (await fetch(locationOf(joined, base))).text()).toBe('hello world')
  })

  it('never changes the folder, not even when the uploads go on', async () => {
    const before = await contentOf(source)
    await runImport(dataDir, 'tusd', source)
    const urlOf = await start()
    await patch(urlOf('begun'), 6, Buffer.from('WORLD'))
    await fetch(urlOf('finished'), { method: 'DELETE', headers: PATCH_HEADERS })
    await service?.close()
    service = undefined
    expect(await doctor({}, ['--data-dir', dataDir, '--repair'], () => undefined)).toBe(0)
    expect(await contentOf(source)).toEqual(before)
  })

  it('links finished files, and copies them with --copy', async () => {
    await runImport(dataDir, 'tusd', source)
    const original = await stat(path.join(source, 'finished'))
    const linked = await stat(path.join(dataDir, 'files/finished/测试 文件.txt'))
    expect(linked.ino).toBe(original.ino)
    const copies = path.join(folder.path, 'copies')
    await runImport(copies, 'tusd', source, '--copy')
    const copied = await stat(path.join(copies, 'files/finished/测试 文件.txt'))
    expect([copied.ino === original.ino, copied.mode & 0o777]).toEqual([false, 0o640])
    expect(copied.mtimeMs).toBeCloseTo(original.mtimeMs, -1)
  })

  it('takes nothing twice, and does not bring back what was deleted', async () => {
    await runImport(dataDir, 'tusd', source)
    const urlOf = await start()
    await patch(urlOf('begun'), 6, Buffer.from('again'))
    await fetch(urlOf('finished'), { method: 'DELETE', headers: PATCH_HEADERS })
    await service?.close()
    const { lines } = await runImport(dataDir, 'tusd', source)
    expect(lines.at(-1)).toBe('Imported: 0 finished, 0 unfinished. Already imported: 10. Not imported: 1.')
    const again = await start()
    expect(await (await fetch(again('begun'))).text()).toBe('hello again')
    expect((await fetch(again('finished'))).status).toBe(410)
  })

  it('says with --dry-run what it would do, and changes nothing', async () => {
    const dry = await runImport(dataDir, 'tusd', source, '--dry-run')
    expect(dry.lines.at(-1)).toBe('Would import: 6 finished, 4 unfinished. Already imported: 0. Not imported: 1.')
    expect(await readdir(folder.path)).toEqual(['tusd'])
    const { lines } = await runImport(dataDir, 'tusd', source)
    expect([...lines.slice(0, -1)].sort()).toEqual([...dry.lines.slice(0, -1)].sort())
    const after = await runImport(dataDir, 'tusd', source, '--dry-run')
    expect(after.lines.at(-1)).toBe('Would import: 0 finished, 0 unfinished. Already imported: 10. Not imported: 1.')
  })

  it('leaves expiry to the last byte, which finished files do not have', async () => {
    const hourAgo = Date.now() / 1000 - 3600
    for (const name of ['begun', 'finished']) await utimes(path.join(source, name), hourAgo, hourAgo)
    await runImport(dataDir, 'tusd', source)
    const { mtimeMs } = await stat(path.join(dataDir, 'incoming', 'begun'))
    expect(mtimeMs / 1000).toBeCloseTo(hourAgo, 0)
  })

  it('is refused while the service runs', async () => {
    await start()
    await expect(runImport(dataDir, 'tusd', source)).rejects.toThrow(/^Another process is using the data directory /)
  })
})

describe('landfall import tusd', () => {
  const facts = { Size: 5, SizeIsDeferred: false, Offset: 0, MetaData: {}, IsPartial: false, IsFinal: false }

  it.each([
    ['of tusd 1', { ...facts, PartialUploads: null, Storage: { Path: 'data/a', Type: 'filestore' } }, 'a'],
    ['of tusd 0, with the ending .bin', facts, 'a.bin'],
    ['whose path was relative', { ...facts, Storage: { Path: 'data/x/a', InfoPath: 'data/a.info' } }, 'x/a'],
  ])('takes an upload %s', async (_, description, file) => {
    await add('a', { ID: 'a', ...description })
    await mkdir(path.join(source, 'x'))
    await writeFile(path.join(source, file), 'hello')
    expect((await runImport(dataDir, 'tusd', source)).code).toBe(0)
    const urlOf = await start()
    expect(await (await fetch(urlOf('a'))).text()).toBe('hello')
  })

  it('lists what it cannot take, and takes the rest', async () => {
    await add('good', { ID: 'good', ...facts }, 'hello')
    await add('longer', { ID: 'longer', ...facts }, 'hello world')
    await add('lost', { ID: 'lost', ...facts })
    await add('torn', '{"ID":"torn","Si', 'hello')
    await add('other', { ID: 'good', ...facts }, 'hello')
    await add('negative', { ID: 'negative', ...facts, Size: -1 }, '')
    await add('huge', { ID: 'huge', ...facts, MetaData: { a: 'x'.repeat(1_100_000) } }, 'hello')
    const { code, lines } = await runImport(dataDir, 'tusd', source)
    expect(code).toBe(1)
    expect([...lines].sort()).toEqual([
      'Imported: 1 finished, 0 unfinished. Already imported: 0. Not imported: 6.',
      'good: 5 bytes',
      'huge.info: Too large for a description by tusd. Not imported.',
      'longer.info: Its file has 11 bytes instead of 5. Not imported.',
      'lost.info: Its file is missing, or outside the folder. Not imported.',
      'negative.info: Not a description by tusd 1 or 2. Not imported.',
      'other.info: It describes the upload good, which belongs to another file. Not imported.',
      'torn.info: Not a description by tusd 1 or 2. Not imported.',
    ])
    expect(await readdir(path.join(dataDir, 'files'))).toEqual(['good'])
  })

  it('follows no link to a directory outside the folder, but one inside it', async () => {
    const outside = path.join(folder.path, 'outside')
    await mkdir(source)
    for (const [directory, link] of [
      [outside, 'out'],
      [path.join(source, 'kept'), 'in'],
    ] as const) {
      await mkdir(directory, { recursive: true })
      await writeFile(path.join(directory, 'bytes'), 'secret')
      await symlink(directory, path.join(source, link))
      const Storage = { Path: path.join(source, link, 'bytes'), InfoPath: path.join(source, `${link}ward.info`) }
      await add(`${link}ward`, { ID: `${link}ward`, Size: 6, Storage })
    }
    const { lines } = await runImport(dataDir, 'tusd', source)
    expect([...lines].sort()).toEqual([
      'Imported: 1 finished, 0 unfinished. Already imported: 0. Not imported: 1.',
      'inward: 6 bytes',
      'outward.info: Its file is missing, or outside the folder. Not imported.',
    ])
    expect(await readFile(path.join(outside, 'bytes'), 'utf8')).toBe('secret')
  })

  it('never follows a description or a link out of the folder', async () => {
    await writeFile(path.join(folder.path, 'secret'), 'hello')
    const outside = { Path: path.join(folder.path, 'secret'), InfoPath: path.join(source, 'a.info') }
    await add('a', { ID: 'a', ...facts, Storage: outside })
    await add('b', { ID: 'b', ...facts, Size: 1_000 })
    await symlink(path.join(folder.path, 'secret'), path.join(source, 'b'))
    const { lines } = await runImport(dataDir, 'tusd', source)
    expect(lines.at(-1)).toBe('Imported: 0 finished, 0 unfinished. Already imported: 0. Not imported: 2.')
  })

  it('makes safe names of those that clients sent', async () => {
    await add('a', { ID: 'a', ...facts, MetaData: { filename: '../../../evil\u0000.sh' } }, 'hello')
    await runImport(dataDir, 'tusd', source)
    expect(await readFile(path.join(dataDir, 'files/a/evil.sh'), 'utf8')).toBe('hello')
  })

  it.each([
    [['tusd'], /^Name one folder: landfall import tusd FOLDER\.$/],
    [['tusd', 'a', 'b'], /^Name one folder/],
    [['rustus', 'a'], /^"rustus" is not an import: choose tusd or chunks\.$/],
    [['tusd', 'a', '--list', 'b'], /^--list names the tasks of an import of chunks, and only of these\.$/],
    [['chunks', 'a'], /^--list names/],
    [['tusd', '/no/such/folder'], /^\/no\/such\/folder is not a directory\.$/],
  ])('refuses the arguments %j with a sentence', async (args, sentence) => {
    await expect(runImport(dataDir, ...args)).rejects.toThrow(sentence)
  })

  it('refuses the data directory itself, or one inside the folder', async () => {
    await mkdir(path.join(source, 'data'), { recursive: true })
    for (const place of [source, path.join(source, 'data'), folder.path]) {
      await expect(runImport(place, 'tusd', source)).rejects.toThrow(/must not contain each other\.$/)
    }
  })

  it('prints its help', async () => {
    const { code, lines } = await runImport(dataDir, '--help')
    expect([code, lines.join()]).toEqual([0, expect.stringContaining('landfall import tusd FOLDER')])
  })
})
