import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Concatenation } from '../../server/core/concatenation.ts'
import type { Desk } from '../../server/core/desk.ts'
import type { Principal } from '../../server/core/principal.ts'
import type { Upload } from '../../server/core/upload.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { ArraySource } from '../support/array-source.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'
import { type UploadsOnDisk, uploadsOnDisk } from '../support/uploads-on-disk.ts'

let disk: UploadsOnDisk
let uploads: Uploads
let alice: Desk
let bob: Desk

function ownerOf(name: string, more: Partial<Principal> = {}): Principal {
  return { ...anyone, owner: name, ownsUnowned: false, account: () => name, ...more }
}

beforeEach(async () => {
  disk = await uploadsOnDisk()
  uploads = disk.uploads
  alice = uploads.for(ownerOf('alice'))
  bob = uploads.for(ownerOf('bob'))
})
afterEach(() => disk.dispose())

const nothing = async (): Promise<void> => undefined
const stateOf = async ({ state }: Upload): Promise<string> => state

async function fill(upload: Upload, text: string): Promise<void> {
  await upload.receiving.append({ start: 0, end: text.length }, ArraySource.of(Buffer.from(text)), 'as-received')
}

/** The states in which Bob may ask for an upload of Alice. */
const STATES: Readonly<Record<string, () => Promise<void>>> = {
  unfinished: () => alice.create(recordOf('id', 5), nothing),
  finished: () =>
    alice.create(recordOf('id', 5), async (upload) => {
      await fill(upload, 'hello')
      await upload.finish()
    }),
  failed: () => alice.create(recordOf('id', 5), (upload) => upload.fail('too_large', 'Too large.')),
  removed: () => alice.create(recordOf('id', 5), (upload) => upload.remove('deleted')),
  'in use': () => alice.create(recordOf('id', 5), nothing),
}

describe.each(Object.entries(STATES))('An upload of another owner that is %s', (_, make) => {
  it.each(['in memory', 'on disk only'])('does not exist: %s', async (place) => {
    await make()
    if (place === 'on disk only') {
      uploads = await disk.reopen()
      bob = uploads.for(ownerOf('bob'))
    }
    let isReached = false
    const unknown = await bob.use('other', nothing).catch((error: unknown) => error)
    const reach = async (): Promise<void> => {
      isReached = true
    }
    await expect(bob.use('id', reach)).rejects.toEqual(unknown)
    expect(unknown).toMatchObject({ code: 'not_found' })
    expect(isReached).toBe(false)
  })
})

it('A removed upload is gone for its owner', async () => {
  await alice.create(recordOf('id', 5), (upload) => upload.remove('deleted'))
  await expect(alice.use('id', nothing)).rejects.toMatchObject({ code: 'gone' })
})

it('The record names the owner, and later changes keep it', async () => {
  await alice.create(recordOf('id', 5), (upload) => upload.update((record) => ({ ...record, metadata: { name: 'x' } })))
  const text = await readFile(path.join(disk.folder, 'records', 'id', 'id.json'), 'utf8')
  expect(JSON.parse(text.split('\n')[0] ?? '')).toMatchObject({ owner: 'alice', metadata: { name: 'x' } })
})

it('An upload without an owner exists only for those who own the unowned', async () => {
  await uploads.for(anyone).create(recordOf('id', 5), nothing)
  await expect(alice.use('id', nothing)).rejects.toMatchObject({ code: 'not_found' })
  expect(await uploads.for(ownerOf('carol', { ownsUnowned: true })).use('id', stateOf)).toBe('receiving')
})

it('An upload with an owner does not exist for anonymous clients', async () => {
  await alice.create(recordOf('id', 5), nothing)
  await expect(uploads.for(anyone).use('id', nothing)).rejects.toMatchObject({ code: 'not_found' })
})

it('A signed link opens its upload and no other', async () => {
  const link = uploads.for({ ...anyone, ownsUnowned: false, may: new Set(['read']), link: 'id' })
  for (const id of ['id', 'other']) await alice.create(recordOf(id, 5), nothing)
  expect(await link.use('id', stateOf)).toBe('receiving')
  await expect(link.use('other', nothing)).rejects.toMatchObject({ code: 'not_found' })
})

describe('Credentials', () => {
  it('that do not allow creation create nothing', async () => {
    const reader = uploads.for(ownerOf('alice', { may: new Set(['read', 'write']) }))
    await expect(reader.create(recordOf('id', 5), nothing)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(reader.createFinished(recordOf('id', 0), async () => [], nothing)).rejects.toMatchObject({
      code: 'forbidden',
    })
    await expect(uploads.use('id', nothing)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('that limit the size create nothing larger', async () => {
    const small = uploads.for(ownerOf('alice', { limits: { maxSize: 4 } }))
    await expect(small.create(recordOf('id', 5), nothing)).rejects.toMatchObject({ code: 'too_large' })
    await small.create(recordOf('id', 4), nothing)
  })
})

describe('A final upload', () => {
  const requested = { metadata: {}, fileName: 'f', tus: { concat: 'final' } }
  let concatenation: Concatenation

  beforeEach(async () => {
    concatenation = new Concatenation(uploads, 'secret')
    for (const [desk, id] of [
      [alice, 'of-alice'],
      [bob, 'of-bob'],
    ] as const) {
      await desk.create({ ...recordOf(id, 5), partial: true }, (upload) => fill(upload, 'hello'))
    }
  })
  afterEach(() => concatenation.close())

  it('takes the part of another owner for a missing one', async () => {
    const join = (part: string): Promise<string> => concatenation.create({ ...requested, parts: ['of-bob', part] }, bob)
    const unknown = await join('unknown').catch((error: unknown) => error)
    await expect(join('of-alice')).rejects.toEqual(unknown)
    expect(unknown).toMatchObject({ code: 'part_gone' })
    expect(await alice.use('of-alice', async ({ record }) => record.final)).toBeUndefined()
  })

  it('is not that of another owner who names the same parts', async () => {
    const carol = uploads.for(ownerOf('carol', { ownsUnowned: true }))
    const dave = uploads.for(ownerOf('dave', { ownsUnowned: true }))
    await uploads.for(anyone).create({ ...recordOf('unowned', 5), partial: true }, (upload) => fill(upload, 'hello'))
    await concatenation.create({ ...requested, parts: ['unowned'] }, carol)
    const again = concatenation.create({ ...requested, parts: ['unowned'] }, dave)
    await expect(again).rejects.toMatchObject({ code: 'part_taken' })
  })

  it('belongs to the owner of its parts, and has another id for every owner', async () => {
    const [first, second] = [
      await concatenation.create({ ...requested, parts: ['of-alice'] }, alice),
      await concatenation.create({ ...requested, parts: ['of-bob'] }, bob),
    ]
    expect(await alice.use(first, stateOf)).toBe('finished')
    await expect(bob.use(first, nothing)).rejects.toMatchObject({ code: 'not_found' })
    expect(second).not.toBe(first)
  })
})
