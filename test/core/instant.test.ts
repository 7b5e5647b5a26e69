/** Files that are found by a digest of all their bytes, as pages of WebUploader send it. */
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Desk } from '../../server/core/desk.ts'
import { Events } from '../../server/core/events.ts'
import { Instant } from '../../server/core/instant.ts'
import type { Principal } from '../../server/core/principal.ts'
import type { UploadRecord } from '../../server/core/record.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'

const HELLO = Buffer.from('hello')
const MD5 = { algorithm: 'md5', digest: createHash('md5').update(HELLO).digest() } as const

let folder: TemporaryFolder
let uploads: Uploads
let instant: Instant
let alice: Desk
let bob: Desk
beforeEach(async () => {
  folder = await temporaryFolder()
  const events = new Events()
  const reports = { events, progressInterval: 1000 }
  uploads = await openStore({ directory: folder.path, sync: 'finish', checks: { fingerprints: true }, reports })
  instant = new Instant(uploads, 'all', events, '')
  alice = uploads.for(ownerOf('alice'))
  bob = uploads.for(ownerOf('bob'))
})
afterEach(async () => {
  await uploads.close()
  await folder.dispose()
})

function ownerOf(owner: string | undefined): Principal {
  return { ...anyone, owner, ownsUnowned: owner === undefined, account: () => owner ?? 'network' }
}

async function send(desk: Desk, id: string, bytes: Buffer = HELLO): Promise<void> {
  await desk.createFinished(
    recordOf(id, bytes.length),
    async () => [bytes],
    async () => undefined,
  )
}

/** @returns the record and the bytes of the new upload. */
function found(desk: Desk, id: string, length = 5): Promise<readonly [UploadRecord, string]> {
  return instant.byDigest(desk, recordOf(id, length), MD5, async (upload) => [
    upload.record,
    await text(upload.read({ start: 0, end: length })),
  ])
}

describe('A digest of the whole file', () => {
  it('finds a file of the same owner, which is read once', async () => {
    await send(alice, 'other', Buffer.from('HELLO'))
    await send(alice, 'first')
    const [record, bytes] = await found(alice, 'second')
    expect([record.owner, bytes]).toEqual(['alice', 'hello'])
    expect((await uploads.use('first', async ({ record }) => record)).digests?.['md5']).toBe(
      MD5.digest.toString('base64'),
    )
    await found(alice, 'third')
  })

  it('finds no file of another owner, and none for anonymous clients, whatever INSTANT says', async () => {
    await send(alice, 'first')
    await expect(found(bob, 'second')).rejects.toMatchObject({ code: 'not_found' })
    const anonymous = uploads.for(ownerOf(undefined))
    await send(anonymous, 'anonymous')
    await expect(found(anonymous, 'third')).rejects.toMatchObject({ code: 'not_found' })
    await expect(uploads.use('second', async () => undefined)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('finds no file of another size, and none that is gone', async () => {
    await send(alice, 'first')
    await expect(found(alice, 'longer', 6)).rejects.toMatchObject({ code: 'not_found' })
    await alice.use('first', (upload) => upload.remove('deleted'))
    await expect(found(alice, 'late')).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('A source that does not exist', () => {
  it.each(['never', 'deleted'])('because it was %s there is an error, and no upload', async (how) => {
    if (how === 'deleted') {
      await send(alice, 'source')
      await alice.use('source', (upload) => upload.remove('deleted'))
    }
    const wanted = uploads.createFrom(recordOf('copy', 5), 'source', async () => undefined)
    await expect(wanted).rejects.toMatchObject({ code: 'not_found' })
    await expect(uploads.use('copy', async () => undefined)).rejects.toMatchObject({ code: 'not_found' })
  })
})
