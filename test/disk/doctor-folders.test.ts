/** What the doctor finds among files in folders. */
import { mkdir, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { Layout } from '../../server/disk/layout.ts'
import { doctor } from '../../server/doctor.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { put, recordOf } from '../support/store-contract.ts'

let folder: TemporaryFolder
let layout: Layout
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  const store = await DiskStore.open({ directory: folder.path, sync: 'never', boot: 'b', onNotice: () => undefined })
  const hello = [Buffer.from('hello')]
  await store.createFinished({ ...recordOf('one', 5), folder: '2026/11' }, hello)
  await store.createFinished({ ...recordOf('two', 5), folder: 'one' }, hello)
  await store.createFinished(recordOf('three', 5), hello)
  await store.createFinished({ ...recordOf('four', 5), folder: 'three/more' }, hello)
  const begun = await store.create({ ...recordOf('begun', 5), folder: '2027' })
  await put(begun, 0, 'he', 'as-received')
  await begun.release()
  await store.close()
})
afterEach(() => folder.dispose())

const at = (place: string): string => path.join(layout.files, place)

async function examine(...flags: string[]): Promise<string[]> {
  const lines: string[] = []
  await doctor({}, ['--data-dir', folder.path, ...flags], (line) => lines.push(line))
  return lines
}

describe('landfall doctor', () => {
  it('finds no problem in files that are in folders', async () => {
    expect(await examine()).toEqual(['No problems found.'])
  })

  it('leaves files without a record to the operator', async () => {
    await writeFile(at('loose.txt'), 'x')
    await writeFile(at('2026/loose.txt'), 'x')
    await writeFile(at('2026/11/one/loose.txt'), 'x')
    await mkdir(at('2026/12/unknown'), { recursive: true })
    await writeFile(at('2026/12/unknown/a.txt'), 'x')
    await truncate(at('three/more/four/a.txt'), 4)
    const before = (await readdir(folder.path, { recursive: true })).sort()
    expect((await examine('--repair')).sort()).toEqual(
      [
        'files/2026/11/one/loose.txt: A file without a record. Left unchanged.',
        'files/2026/12: A finished file without a record: it cannot be downloaded. Left unchanged.',
        'files/2026/loose.txt: A file without a record. Left unchanged.',
        'files/loose.txt: A file without a record. Left unchanged.',
        'files/three/more/four/a.txt: A finished file of 4 bytes that should have 5. Left unchanged.',
        'Found: 5. Repaired: 0. Left: 5.',
      ].sort(),
    )
    expect((await readdir(folder.path, { recursive: true })).sort()).toEqual(before)
  })

  it('removes folders in which there is nothing, and no others', async () => {
    await mkdir(at('2025/10/x'), { recursive: true })
    await mkdir(at('2026/12'))
    expect((await examine('--repair')).sort()).toEqual([
      'Found: 2. Repaired: 2. Left: 0.',
      'files/2025: A directory without its file. Done: remove the directory.',
      'files/2026/12: A directory without its file. Done: remove the directory.',
    ])
    expect((await readdir(layout.files)).sort()).toEqual(['2026', 'one', 'three'])
    expect(await examine()).toEqual(['No problems found.'])
  })

  it('sets aside the record of a file that is missing in its folder', async () => {
    await rm(at('2026/11/one/a.txt'))
    expect(await examine('--repair')).toContainEqual(expect.stringMatching(/records\/on\/one\.json: A record without/))
  })

  it('does not look behind a planted link', async () => {
    await rename(at('2026'), path.join(folder.path, 'away'))
    await symlink(path.join(folder.path, 'away'), at('2026'))
    expect(await examine('--repair')).toEqual([
      'files/2026: A directory of finished files was replaced by a link or a file. Left unchanged.',
      'Found: 1. Repaired: 0. Left: 1.',
    ])
  })
})
