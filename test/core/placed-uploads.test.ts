/** The places that a setting and an application choose, as the library sees them. */
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { CreationChanges } from '../../server/core/decisions.ts'
import { UploadError } from '../../server/core/errors.ts'
import { Events, type UploadEvent } from '../../server/core/events.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'

let folder: TemporaryFolder
let uploads: Uploads
let changes: CreationChanges | undefined
let finished: UploadEvent[]
beforeEach(async () => {
  folder = await temporaryFolder()
  changes = undefined
  finished = []
  const events = new Events()
  events.on(['finished'], (event) => finished.push(event))
  uploads = await openStore({
    directory: folder.path,
    sync: 'never',
    folder: '{yyyy}',
    reports: { events, progressInterval: 0 },
    decisions: { beforeCreate: async () => ({ changes }) },
  })
})
afterEach(async () => {
  await uploads.close()
  await folder.dispose()
})

/** Creates a finished upload. @returns its path, relative to the directory of finished files. */
async function create(id: string): Promise<string> {
  await uploads.for(anyone).createFinished(
    recordOf(id, 5),
    async () => [Buffer.from('hello')],
    async () => undefined,
  )
  return path.relative(path.join(folder.path, 'files'), finished.at(-1)?.upload.path ?? '')
}

describe('The application', () => {
  it.each<[string, CreationChanges | undefined]>([
    ['2026/one/a.txt', undefined],
    ['2026/one/a.txt', {}],
    ['2026/one/b.txt', { metadata: { filename: 'b.txt' } }],
    ['a/b/one/a.txt', { folder: 'a/b' }],
    ['a/one/b.txt', { folder: 'a', metadata: { filename: 'b.txt' } }],
    ['one/a.txt', { folder: '' }],
    ['a/one/c.txt', { path: 'a/c.txt', metadata: { filename: 'b.txt' } }],
    ['one/c.txt', { path: 'c.txt', folder: 'ignored' }],
    ['2026/two/a.txt', { id: 'two' }],
    ['a/two/c.txt', { id: 'two', path: 'a/two/c.txt' }],
  ])('has a file at %s with the changes %j', async (place, wanted) => {
    changes = wanted
    expect(await create('one')).toBe(place)
  })

  it.each<CreationChanges>([{ folder: '..' }, { folder: '/a' }, { path: '' }, { path: '../a.txt' }])(
    'cannot choose a place that is not below the files: %j',
    async (wanted) => {
      changes = wanted
      const refused = await create('one').catch((error: unknown) => error)
      if (!(refused instanceof UploadError)) throw refused
      expect([refused.code, refused.message]).toEqual(['internal', 'Internal server error.'])
      expect(String(refused.cause)).toMatch(/^Error: The application has chosen the place ".*", which is not in/)
      expect(await uploads.group('one')).toEqual([])
    },
  )
})
