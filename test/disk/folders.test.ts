/** Finished files in folders, on disk. */
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { UploadRecord } from '../../server/core/record.ts'
import type { StoredUpload } from '../../server/core/store.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import type { Step } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { temporaryFolder } from '../support/folder.ts'
import { put, recordOf } from '../support/store-contract.ts'

const FOLDER = '2026/11'
const HELLO = [Buffer.from('hello')]
const whole = { start: 0, end: 5 }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
let store: DiskStore
let touched: StoredUpload[]
/** Called after each step of the store. */
let onStep: (step: Step) => void
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(path.join(folder.path, 'data'))
  touched = []
  onStep = () => undefined
  store = await open()
})
afterEach(async () => {
  for (const upload of touched) await upload.release()
  await store.close()
  await folder.dispose()
})

function open(): Promise<DiskStore> {
  return DiskStore.open({
    directory: layout.root,
    sync: 'finish',
    boot: 'b',
    onNotice: () => undefined,
    onStep: (step) => onStep(step),
  })
}

async function reopen(): Promise<void> {
  await store.close()
  store = await open()
}

function placed(id: string, place = FOLDER): UploadRecord {
  return { ...recordOf(id, 5), folder: place }
}

/** An upload with all its bytes. */
async function complete(record: UploadRecord): Promise<StoredUpload> {
  const upload = await store.create(record)
  touched.push(upload)
  await put(upload, 0, 'hello', 'as-received')
  return upload
}

async function finished(record: UploadRecord): Promise<StoredUpload> {
  const upload = await complete(record)
  await upload.finish()
  return upload
}

async function opened(id: string): Promise<StoredUpload> {
  const found = await store.open(id)
  if (found.kind !== 'upload') throw new Error(`It is ${found.kind}.`)
  touched.push(found.upload)
  return found.upload
}

const inFiles = async (): Promise<string[]> => (await readdir(layout.files, { recursive: true })).sort()
const format = async (): Promise<string> => readFile(layout.format, 'utf8')

describe('A finished file', () => {
  it.each([
    ['that grew', async () => finished(placed('one'))],
    ['that was written at once', () => store.createFinished(placed('one'), HELLO)],
  ])('%s is in its folder, alone in a directory, also after a restart', async (_, make) => {
    const upload = await make()
    const file = path.join(layout.files, FOLDER, 'one', 'a.txt')
    expect([upload.path, store.pathOf(placed('one'), true)]).toEqual([file, file])
    expect(await inFiles()).toEqual(['2026', '2026/11', '2026/11/one', '2026/11/one/a.txt'])
    await reopen()
    expect((await opened('one')).finished).toBe(true)
    expect(await text((await opened('one')).read(whole))).toBe('hello')
    expect((await store.summary('one'))?.finished).toBe(true)
  })

  it('never replaces one of the same name, however many land at once', async () => {
    const ids = ['one', 'two', 'three', 'four', 'five', 'six']
    const landed = ids.map((id, i) => (i % 2 === 0 ? finished(placed(id)) : store.createFinished(placed(id), HELLO)))
    await Promise.all(landed)
    expect((await readdir(path.join(layout.files, FOLDER))).sort()).toEqual([...ids].sort())
    for (const id of ids) expect(await readFile(path.join(layout.files, FOLDER, id, 'a.txt'), 'utf8')).toBe('hello')
  })

  it('has the time when it was renamed, in any folder', async () => {
    await finished(placed('one'))
    const { mtimeMs } = await stat(path.join(layout.files, FOLDER, 'one'))
    expect(await store.lastChange('one')).toEqual(new Date(mtimeMs))
    expect(await store.lastChange('two')).toEqual(new Date(0))
  })

  it('waits while a file is in the way of its folder, which stays as it is', async () => {
    await writeFile(path.join(layout.files, '2026'), 'in the way')
    const upload = await complete(placed('one'))
    await expect(upload.finish()).rejects.toMatchObject({ code: 'storage_error' })
    await expect(store.createFinished(placed('two'), HELLO)).rejects.toMatchObject({ code: 'storage_error' })
    expect(await readFile(path.join(layout.files, '2026'), 'utf8')).toBe('in the way')
    expect(await store.open('two')).toEqual({ kind: 'unknown' })
    await rm(path.join(layout.files, '2026'))
    await upload.finish()
    expect(await text(upload.read(whole))).toBe('hello')
  })

  it('that cannot be finished leaves no folder', async () => {
    const record = placed('one')
    const noRoom = async () => ({ record, after: Promise.reject(new Error('No room for the event.')) })
    const made = store.createFinished(record, HELLO, noRoom)
    await expect(made).rejects.toMatchObject({ code: 'storage_error' })
    expect(await inFiles()).toEqual([])
  })

  it('is in folders with the permissions of its own directory, whatever the umask is', async () => {
    await store.close()
    const before = process.umask(0o077)
    try {
      const settings = { directory: layout.root, sync: 'never', boot: 'b', onNotice: () => undefined } as const
      store = await DiskStore.open({ ...settings, folderMode: 0o755 })
      await finished(placed('one'))
    } finally {
      process.umask(before)
    }
    const modes = ['2026', '2026/11', '2026/11/one'].map(
      async (place) => (await stat(path.join(layout.files, place))).mode,
    )
    expect((await Promise.all(modes)).map((mode) => mode & 0o777)).toEqual([0o755, 0o755, 0o755])
  })

  it('makes its folder again that was removed by hand', async () => {
    await finished(placed('one'))
    await rm(path.join(layout.files, '2026'), { recursive: true })
    await finished(placed('two'))
    expect(await inFiles()).toEqual(['2026', '2026/11', '2026/11/two', '2026/11/two/a.txt'])
  })
})

describe('A removal', () => {
  it('takes the folders with it that are empty then, and no others', async () => {
    const [one, two] = [await finished(placed('one')), await finished(placed('two', '2026/12'))]
    await one.remove('deleted')
    expect(await inFiles()).toEqual(['2026', '2026/12', '2026/12/two', '2026/12/two/a.txt'])
    await two.remove('deleted')
    expect(await inFiles()).toEqual([])
  })

  it('takes folders with it that a crash left empty', async () => {
    const upload = await complete(placed('one'))
    await mkdir(path.join(layout.files, '2026'))
    await upload.remove('expired')
    expect(await inFiles()).toEqual([])
  })

  it.each([['one'], ['2026']])('keeps files that are in the directory of the upload %s', async (id) => {
    const upload = await finished(recordOf(id, 5))
    await finished(placed('two', `${id}/more`))
    await upload.remove('deleted')
    expect(await inFiles()).toEqual([id, `${id}/more`, `${id}/more/two`, `${id}/more/two/a.txt`])
    expect(await text((await opened('two')).read(whole))).toBe('hello')
  })

  it('and a landing at once leave every file, again and again', async () => {
    for (let i = 0; i < 50; i++) {
      const leaving = await store.createFinished(placed(`old${i}`), HELLO)
      const landing = i % 2 === 0 ? finished(placed(`new${i}`)) : store.createFinished(placed(`new${i}`), HELLO)
      const [stays] = await Promise.all([landing, leaving.remove('deleted')])
      expect(await text(stays.read(whole))).toBe('hello')
      await stays.remove('deleted')
      expect(await inFiles()).toEqual([])
    }
  })
})

describe('A planted link', () => {
  /** A directory outside of the data directory, as it might be in `files`. */
  let outside: string
  beforeEach(async () => {
    outside = path.join(folder.path, 'outside')
    await mkdir(path.join(outside, '11', 'one'), { recursive: true })
    await writeFile(path.join(outside, '11', 'one', 'a.txt'), 'OTHER')
  })
  afterEach(async () => {
    const left = (await readdir(outside, { recursive: true })).sort()
    expect(left).toEqual(['11', '11/one', '11/one/a.txt'])
    expect(await readFile(path.join(outside, '11', 'one', 'a.txt'), 'utf8')).toBe('OTHER')
  })

  async function plant(): Promise<void> {
    const place = path.join(layout.files, '2026')
    await rename(place, `${layout.root}/away`).catch(() => undefined)
    await symlink(outside, place)
  }

  it.each(['new', 'known'])('in place of a %s folder never receives a file', async (state) => {
    if (state === 'known') await finished(placed('before'))
    await plant()
    const upload = await complete(placed('two'))
    await expect(upload.finish()).rejects.toMatchObject({ code: 'storage_error' })
    await expect(store.createFinished(placed('three'), HELLO)).rejects.toMatchObject({ code: 'storage_error' })
  })

  it('in place of a folder is not read through', async () => {
    const upload = await finished(placed('one'))
    await plant()
    await expect(text(upload.read(whole))).rejects.toMatchObject({ code: 'storage_error' })
    await reopen()
    await expect(store.open('one')).rejects.toMatchObject({ code: 'storage_error' })
  })

  it('in place of a folder keeps what it leads to when the upload is removed', async () => {
    const upload = await finished(placed('one'))
    await plant()
    await upload.remove('deleted')
    expect(await store.open('one')).toMatchObject({ kind: 'gone' })
  })

  it('in place of the directory of an upload is removed, and not followed', async () => {
    const upload = await finished(placed('one'))
    const own = path.join(layout.files, FOLDER, 'one')
    await rename(own, `${layout.root}/away`)
    await symlink(path.join(outside, '11', 'one'), own)
    await upload.remove('deleted')
    expect(await inFiles()).toEqual([])
  })
})

describe('The format of a data directory', () => {
  it('is raised before the first record with a folder, for versions that do not know them', async () => {
    expect(await format()).toBe('1\n')
    await finished(recordOf('one', 5))
    expect(await format()).toBe('1\n')
    const seen: string[] = []
    onStep = (step) => seen.push(step)
    await complete(placed('two'))
    expect(seen.slice(0, 2)).toEqual(['format:raised', 'create:bytes'])
    expect(await format()).toBe('2\n')
    await complete(placed('three'))
    expect(seen.filter((step) => step === 'format:raised')).toHaveLength(1)
    await reopen()
    expect(await format()).toBe('2\n')
  })

  it('is raised by a file that is written at once, too', async () => {
    await store.createFinished(placed('one'), HELLO)
    expect(await format()).toBe('2\n')
  })

  it('is raised by the next upload if that was not possible', async () => {
    await mkdir(`${layout.format}.tmp/inside`, { recursive: true })
    await expect(store.create(placed('one'))).rejects.toMatchObject({ code: 'storage_error' })
    expect([await store.open('one'), await readdir(layout.incoming)]).toEqual([{ kind: 'unknown' }, []])
    await rmdir(`${layout.format}.tmp/inside`)
    await rmdir(`${layout.format}.tmp`)
    await finished(placed('one'))
    expect(await format()).toBe('2\n')
  })
})
