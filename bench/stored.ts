import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'

/** @throws Error unless a directory has, at any depth, at least `count` files of exactly `size` bytes. */
export async function checkStored(folder: string, count: number, size: number): Promise<void> {
  let found = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && (await stat(path.join(entry.parentPath, entry.name))).size === size) found++
  }
  if (found < count) throw new Error(`${found} of ${count} files of ${size} bytes are stored.`)
}
