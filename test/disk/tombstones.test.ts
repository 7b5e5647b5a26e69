import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { Layout } from '../../server/disk/layout.ts'
import { temporaryFolder } from '../support/folder.ts'
import { recordOf } from '../support/store-contract.ts'

const OWNER = 'fedcba9876543210'.repeat(2)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
let store: DiskStore
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  store = await open()
})
afterEach(async () => {
  await store.close()
  await folder.dispose()
})

function open(): Promise<DiskStore> {
  return DiskStore.open({ directory: folder.path, sync: 'never', boot: 'b', onNotice: () => undefined })
}

describe('A tombstone', () => {
  it.each([
    ['of the version before, which has no owner,', 'deleted\n', undefined],
    ['with an owner', `expired ${OWNER}\n`, OWNER],
    ['without text', '', undefined],
    ['that is torn behind the owner', `deleted ${OWNER}`, undefined],
    ['that is torn before the owner', 'deleted', undefined],
    ['of zeros, as a power cut leaves it,', '\0'.repeat(42), undefined],
  ])('%s makes the upload gone', async (_, text, owner) => {
    await writeFile(path.join(layout.gone, 'one'), text)
    expect(await store.open('one')).toEqual({ kind: 'gone', owner })
  })

  describe('for which a full disk had no text', () => {
    /** The state of a removal that was interrupted, with a tombstone without text. */
    async function leave(): Promise<void> {
      const upload = await store.create({ ...recordOf('one', 5), owner: OWNER })
      await upload.close()
      await writeFile(path.join(layout.leaving, 'one'), '')
    }

    async function expectRemoved(): Promise<void> {
      expect(await readdir(layout.incoming)).toEqual([])
      expect(await readdir(layout.records)).toEqual([])
      expect(await readFile(path.join(layout.gone, 'one'), 'utf8')).toBe(`deleted ${OWNER}\n`)
    }

    it('receives the owner from the record before the next start removes that', async () => {
      await leave()
      await store.close()
      store = await open()
      await expectRemoved()
      expect(await store.open('one')).toEqual({ kind: 'gone', owner: OWNER })
    })

    it('receives the owner from the record before the next request removes that', async () => {
      await leave()
      expect(await store.open('one')).toEqual({ kind: 'gone', owner: OWNER })
      await expectRemoved()
    })
  })
})
