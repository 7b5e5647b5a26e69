import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { withAccess } from './access.ts'
import { ifThere, replaceFile } from './files.ts'
import type { Layout } from './layout.ts'

/**
 * The secret of a data directory, created at the first start. It must stay, because ids are derived from it.
 *
 * @throws Error with a sentence for the operator when this user cannot read or create it.
 */
export function folderSecret(layout: Layout): Promise<string> {
  return withAccess(layout, async () => (await known(layout)) ?? (await make(layout)))
}

async function known(layout: Layout): Promise<string | undefined> {
  const text = await ifThere(() => readFile(layout.secret, 'utf8'))
  return text === undefined || text.trim() === '' ? undefined : text.trim()
}

async function make(layout: Layout): Promise<string> {
  const fresh = randomBytes(32).toString('hex')
  await replaceFile(layout.secret, `${fresh}\n`, 0o600)
  return fresh
}
