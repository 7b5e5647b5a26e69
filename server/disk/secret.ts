import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { ifThere, syncPath } from './files.ts'
import type { Layout } from './layout.ts'
import { withAccess } from './refusal.ts'

/**
 * The secret of a data folder, made at the first start: the same ids must come out of the same names for ever.
 *
 * @throws Error with a sentence for the operator when this user cannot read or make it.
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
  const temporary = `${layout.secret}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(`${fresh}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, layout.secret)
  await syncPath(layout.root, 'all')
  return fresh
}
