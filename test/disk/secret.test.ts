import { chown, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { secretsOf } from '../../server/secrets.ts'
import { temporaryFolder } from '../support/folder.ts'

/** Only root can create files of other users. */
const isRoot = process.getuid?.() === 0
const OWN = 'f'.repeat(64)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
let notices: string[]
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  notices = []
})
afterEach(() => folder.dispose())

function secrets(SECRET = ''): ReturnType<typeof secretsOf> {
  return secretsOf({ SECRET, DATA_DIR: folder.path }, (sentence) => notices.push(sentence))
}

describe('The secret of a data directory', () => {
  it('is created for its owner only, and stays', async () => {
    const first = await secrets()
    expect(first.ids).toMatch(/^[0-9a-f]{64}$/)
    expect(await secrets()).toEqual(first)
    expect((await stat(layout.secret)).mode & 0o777).toBe(0o600)
    expect(notices).toEqual([])
  })

  it('is not used with SECRET', async () => {
    await writeFile(layout.secret, `${OWN}\n`)
    expect((await secrets('g'.repeat(32))).ids).toBe('g'.repeat(32))
    expect((await secrets()).ids).toBe(OWN)
  })

  it('that is short, from SECRET of an earlier version, keeps the ids and is the source of no key', async () => {
    await writeFile(layout.secret, 'changeme\n')
    const first = await secrets()
    expect(first.ids).toBe('changeme')
    expect(await readFile(layout.secret, 'utf8')).toMatch(/^changeme\n[0-9a-f]{64}\n$/)
    expect(await secrets()).toEqual(first)
    expect(notices).toHaveLength(2)
    expect(notices[0]).toMatch(/^The ids of WebUploader files can be guessed: /)
    const [, strong = ''] = (await readFile(layout.secret, 'utf8')).split('\n')
    await writeFile(layout.secret, `${strong}\n`)
    expect(await secrets()).toEqual({ ids: strong, keys: first.keys })
  })

  it('is refused if its second line is short', async () => {
    await writeFile(layout.secret, 'changeme\nabc\n')
    await expect(secrets()).rejects.toThrow(/^The second line of .*secret has less than 32 characters/)
  })

  it('is not read through a link', async () => {
    const elsewhere = path.join(folder.path, 'elsewhere')
    await writeFile(elsewhere, `${OWN}\n`)
    await symlink(elsewhere, layout.secret)
    await expect(secrets()).rejects.toThrow(/secret is a link/)
  })

  it('is not written through a planted link or into a planted file', async () => {
    const target = path.join(folder.path, 'target')
    await writeFile(target, 'of somebody else', { mode: 0o666 })
    await symlink(target, `${layout.secret}.tmp`)
    const { ids } = await secrets()
    expect(await readFile(target, 'utf8')).toBe('of somebody else')
    expect(await readFile(layout.secret, 'utf8')).toBe(`${ids}\n`)
    expect((await stat(layout.secret)).mode & 0o777).toBe(0o600)
  })

  if (isRoot) {
    it('that another user has planted is refused', async () => {
      await writeFile(layout.secret, `${OWN}\n`)
      await chown(layout.secret, 12_345, 12_345)
      await expect(secrets()).rejects.toThrow(/secret belongs to another user \(12345\), who knows it\. Remove it, or/)
      await chown(layout.root, 12_345, 12_345)
      expect((await secrets()).ids).toBe(OWN)
    })
  }
})
