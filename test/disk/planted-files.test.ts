import { chmod, chown, lstat, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { StoredUpload } from '../../server/core/store.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { Layout } from '../../server/disk/layout.ts'
import { temporaryFolder } from '../support/folder.ts'
import { put, recordOf } from '../support/store-contract.ts'

/** Only root can create files of other users. */
const isRoot = process.getuid?.() === 0
const OTHERS = 'of somebody else, and longer than any upload here'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
/** A file outside of the data directory, to which planted links lead. */
let target: string
let store: DiskStore | undefined
let notices: string[]
/** Whose descriptors are closed after a test. */
let uploads: StoredUpload[]
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(path.join(folder.path, 'data'))
  target = path.join(folder.path, 'target')
  notices = []
  uploads = []
  await writeFile(target, OTHERS)
})
afterEach(async () => {
  for (const upload of uploads) await upload.release()
  await store?.close()
  store = undefined
  await folder.dispose()
})

async function open(): Promise<DiskStore> {
  await store?.close()
  store = await DiskStore.open({
    directory: layout.root,
    sync: 'finish',
    boot: 'b',
    onNotice: (sentence) => notices.push(sentence),
  })
  return store
}

async function opened(id: string): Promise<StoredUpload> {
  const found = await (await open()).open(id)
  if (found.kind !== 'upload') throw new Error(`It is ${found.kind}.`)
  uploads.push(found.upload)
  return found.upload
}

async function create(id: string): Promise<StoredUpload> {
  const upload = await (await open()).create(recordOf(id, 50))
  uploads.push(upload)
  return upload
}

/** Moves a file away and plants a link to another file in its place. */
async function plant(place: string): Promise<void> {
  await rename(place, `${place}.away`).catch(() => undefined)
  await symlink(target, place)
}

async function expectUntouched(): Promise<void> {
  expect(await readFile(target, 'utf8')).toBe(OTHERS)
}

describe('A planted link', () => {
  it('in place of a new upload is not followed', async () => {
    await open()
    await symlink(target, layout.incomingFile('one'))
    await expect(store?.create(recordOf('one', 5))).rejects.toMatchObject({ code: 'storage_error' })
    await symlink(target, layout.incomingFile('two'))
    const whole = store?.createFinished(recordOf('two', 5), [Buffer.from('hello')])
    await expect(whole).rejects.toMatchObject({ code: 'storage_error' })
    await expectUntouched()
  })

  it('in place of the bytes of an upload is neither written nor read', async () => {
    const upload = await create('one')
    await put(upload, 0, 'hello', 'as-received')
    await upload.release()
    await plant(layout.incomingFile('one'))
    await expect(put(upload, 5, 'EVIL', 'as-received')).rejects.toMatchObject({ code: 'storage_error' })
    await expect(text(upload.read({ start: 0, end: 5 }))).rejects.toMatchObject({ code: 'storage_error' })
    await expect((await open()).open('one')).rejects.toMatchObject({ code: 'storage_error' })
    await expectUntouched()
  })

  it('in place of a finished file is not read', async () => {
    const upload = await (await open()).createFinished(recordOf('one', 5), [Buffer.from('hello')])
    await plant(path.join(layout.finishedFolder('one'), 'a.txt'))
    await expect(text(upload.read({ start: 0, end: 5 }))).rejects.toMatchObject({ code: 'storage_error' })
    await expect((await open()).open('one')).rejects.toMatchObject({ code: 'storage_error' })
  })

  it('in place of a journal is not written', async () => {
    const upload = await create('one')
    await put(upload, 5, 'hello', 'when-verified')
    await upload.release()
    await plant(layout.journal('one'))
    await expect(put(upload, 20, 'EVIL', 'when-verified')).rejects.toMatchObject({ code: 'storage_error' })
    await expectUntouched()
  })

  it('in place of a record that is marked is not written', async () => {
    const upload = await create('one')
    await put(upload, 0, 'hello', 'as-received')
    await plant(layout.record('one'))
    // Closing syncs the bytes and marks that in the record.
    await upload.close()
    await expectUntouched()
  })

  it('in place of a temporary file or a tombstone is replaced', async () => {
    const upload = await create('one')
    await symlink(target, path.join(layout.recordFolder('one'), '.one.tmp'))
    await upload.update((record) => ({ ...record, length: 60 }))
    expect((await lstat(layout.record('one'))).isFile()).toBe(true)
    expect((await opened('one')).record.length).toBe(60)
    await symlink(target, path.join(layout.leaving, 'one'))
    await upload.remove('deleted')
    expect((await lstat(path.join(layout.gone, 'one'))).isFile()).toBe(true)
    await expectUntouched()
  })

  it('in place of the format file being written is replaced', async () => {
    await mkdir(layout.root)
    await symlink(target, `${layout.format}.tmp`)
    await open()
    expect((await lstat(layout.format)).isFile()).toBe(true)
    await expectUntouched()
  })

  it('in place of an upload of @tus/file-store is not adopted', async () => {
    await mkdir(layout.root)
    const describes = (id: string): Promise<void> =>
      writeFile(path.join(layout.root, `${id}.json`), JSON.stringify({ id, size: 100, metadata: {} }))
    await symlink(target, path.join(layout.root, 'one'))
    await describes('one')
    expect(await (await open()).open('one')).toEqual({ kind: 'unknown' })
    expect(notices).toEqual([])
    await expectUntouched()
  })
})

describe('A data directory', () => {
  it('that is new, in a directory like /tmp, causes no notice', async () => {
    await chmod(folder.path, 0o1777)
    await open()
    expect(notices).toEqual([])
  })

  it('that others can write to is reported once, with the command that fixes it', async () => {
    await open()
    await chmod(layout.root, 0o1777)
    await chmod(layout.files, 0o757)
    await open()
    const [user, group] = [process.getuid?.(), process.getgid?.()]
    const { root, files } = layout
    expect(notices).toEqual([
      `Other users can change files in ${root}, ${files}. ` +
        `Run as root: chown -h ${user}:${group} ${root} ${files} && chmod o-w ${root} ${files}`,
    ])
  })

  it('that others can replace is reported', async () => {
    await chmod(folder.path, 0o777)
    await open()
    expect(notices).toEqual([`Other users can replace ${layout.root}. Run as root: chmod o-w ${folder.path}`])
  })

  if (isRoot) {
    it('of which a part belongs to another user is reported', async () => {
      await open()
      await chown(layout.incoming, 12_345, 12_345)
      await open()
      expect(notices).toEqual([expect.stringMatching(/^Other users can change files in \S+incoming\. Run as root: /)])
    })
  }

  it('keeps working after a link in it was replaced', async () => {
    const upload = await create('one')
    await put(upload, 0, 'hello', 'as-received')
    await upload.release()
    await plant(layout.incomingFile('one'))
    await expect(put(upload, 5, 'EVIL', 'as-received')).rejects.toMatchObject({ code: 'storage_error' })
    await rm(layout.incomingFile('one'))
    await rename(`${layout.incomingFile('one')}.away`, layout.incomingFile('one'))
    await put(upload, 5, '!', 'as-received')
    expect(await text(upload.read({ start: 0, end: 6 }))).toBe('hello!')
  })
})
