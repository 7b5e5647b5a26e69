import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { ifThere } from './disk-error.ts'
import type { Layout } from './layout.ts'

/** The secret of a data folder, made at the first start: the same ids must come out of the same names for ever. */
export async function folderSecret(layout: Layout): Promise<string> {
  const known = await ifThere(() => readFile(layout.secret, 'utf8'))
  if (known !== undefined && known.trim() !== '') return known.trim()
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
  return fresh
}
