import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { systemCode } from '../core/errors.ts'
import { withAccess } from './access.ts'
import { ifThere, replaceFile } from './files.ts'
import type { Layout } from './layout.ts'

/** Characters that a secret needs to be the source of keys. */
const LEAST = 32

// The file has one line. A shorter secret, which an operator has moved there to keep the ids of an earlier version, is
// followed by a line for everything else.

/** The secrets of a data directory. */
export interface FolderSecrets {
  /** The secret of ids. */
  readonly ids: string
  /** The secret of keys, at least 32 characters. */
  readonly keys: string
}

/**
 * The secrets of a data directory, created at the first start. They must stay, because ids and owners are derived from
 * them.
 *
 * @param onNotice receives notices for the operator, one sentence each.
 * @throws Error with a sentence for the operator when this user cannot read or create them, or when another user may
 * have written them.
 */
export function folderSecrets(layout: Layout, onNotice: (sentence: string) => void): Promise<FolderSecrets> {
  return withAccess(layout, async () => {
    const [ids, keys] = await known(layout)
    if (ids === undefined) return make(layout, [])
    if (ids.length >= LEAST) return { ids, keys: keys ?? ids }
    onNotice(
      `The ids of WebUploader files can be guessed: the first line of ${layout.secret} has less than ${LEAST} characters. ` +
        'Remove the line when no such upload is unfinished.',
    )
    return keys === undefined ? make(layout, [ids]) : { ids, keys }
  })
}

/**
 * The secret of ids of a data directory; `undefined` if it has none.
 *
 * @throws like `folderSecrets`.
 */
export async function secretOfIds(layout: Layout): Promise<string | undefined> {
  const [ids] = await withAccess(layout, () => known(layout))
  return ids
}

async function make(layout: Layout, before: readonly string[]): Promise<FolderSecrets> {
  const fresh = randomBytes(32).toString('hex')
  const lines = [...before, fresh]
  await replaceFile(layout.secret, `${lines.join('\n')}\n`)
  return { ids: lines[0] ?? fresh, keys: fresh }
}

async function known(layout: Layout): Promise<readonly (string | undefined)[]> {
  const file = await ifThere(() => openOwn(layout))
  if (file === undefined) return []
  try {
    await checkOwner(layout, file)
    const text = await file.readFile('utf8')
    const lines = text.split('\n').map((line) => line.trim())
    const [ids, keys] = lines.filter((line) => line !== '')
    if (keys !== undefined && keys.length < LEAST) {
      throw new Error(`The second line of ${layout.secret} has less than ${LEAST} characters. Remove it.`)
    }
    return [ids, keys]
  } finally {
    await file.close()
  }
}

async function openOwn({ secret }: Layout): Promise<FileHandle> {
  try {
    return await open(secret, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (systemCode(error) !== 'ELOOP') throw error
    throw new Error(`${secret} is a link, which anybody may have made. Replace it by the file, or set SECRET_FILE.`)
  }
}

/** In a directory where others can create files, another user may have chosen the secret. */
async function checkOwner({ root, secret }: Layout, file: FileHandle): Promise<void> {
  const { uid } = await file.stat()
  const trusted = [process.geteuid?.(), 0, (await stat(root)).uid]
  if (trusted.includes(uid)) return
  throw new Error(
    `${secret} belongs to another user (${uid}), who knows it. Remove it, or run as root: chown ${process.geteuid?.()} ${secret}`,
  )
}
