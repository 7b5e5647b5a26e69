import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Uploads } from '../../server/core/uploads.ts'
import { recordOf } from '../support/store-contract.ts'
import { type UploadsOnDisk, uploadsOnDisk } from '../support/uploads-on-disk.ts'

let uploads: Uploads
let dispose: UploadsOnDisk['dispose']

beforeEach(async () => {
  ;({ uploads, dispose } = await uploadsOnDisk())
})
afterEach(() => dispose())

async function make(id: string): Promise<void> {
  await uploads.create(recordOf(id, 5), async () => undefined)
}

async function makeGone(...ids: string[]): Promise<void> {
  for (const id of ids) {
    await make(id)
    await uploads.use(id, (upload) => upload.remove('deleted'))
  }
}

/** Removes all tombstones. */
function forget(): Promise<number> {
  return uploads.sweeps.forgetGone(new Date(Date.now() + 60_000))
}

function isKnown(id: string): Promise<boolean> {
  return uploads.use(id, async () => true).catch((error: { code: string }) => error.code !== 'not_found')
}

describe('Tombstones', () => {
  it('are forgotten when they are old, but not when they are new', async () => {
    await makeGone('single', 'g.a.0')
    expect(await uploads.sweeps.forgetGone(new Date(Date.now() - 60_000))).toBe(0)
    expect(await forget()).toBe(2)
    expect([await isKnown('single'), await isKnown('g.a.0')]).toEqual([false, false])
  })
})
