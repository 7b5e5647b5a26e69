/** Uploads that are created from finished ones. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Desk } from '../../server/core/desk.ts'
import { Events } from '../../server/core/events.ts'
import { FileIndex } from '../../server/core/file-index.ts'
import { fingerprintOfBytes } from '../../server/core/fingerprint.ts'
import { Instant } from '../../server/core/instant.ts'
import type { Principal } from '../../server/core/principal.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'

const HELLO = Buffer.from('hello')

let folder: TemporaryFolder
let uploads: Uploads
let alice: Desk
beforeEach(async () => {
  folder = await temporaryFolder()
  const events = new Events()
  const reports = { events, progressInterval: 1000 }
  uploads = await openStore({ directory: folder.path, sync: 'finish', checks: { fingerprints: true }, reports })
  alice = uploads.for(ownerOf('alice'))
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

describe('A file that another node has removed', () => {
  it('is forgotten when somebody asks for it', async () => {
    const index = new FileIndex()
    const instant = new Instant(uploads, 'owner', new Events(), '', index)
    const fingerprint = fingerprintOfBytes(HELLO)
    index.add('alice', { id: 'removed', size: 5, fingerprint })
    const { id: question } = instant.ask(alice.principal, 5, fingerprint)
    const claim = { question, proof: Buffer.alloc(32) }
    await expect(instant.finish(alice, claim, {}, async () => undefined)).rejects.toMatchObject({ code: 'not_found' })
    expect(index.count).toBe(0)
  })
})
