import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../core/errors.ts'
import { syncPath } from './files.ts'
import type { Layout } from './layout.ts'

/**
 * Creates the directories of a data folder and checks that they are usable.
 *
 * @param durable whether the directories are on disk when this returns.
 * @throws Error with a sentence for the operator when they are on two file systems; the OS error when one is not
 * accessible.
 */
export async function prepareFolders(layout: Layout, durable: boolean): Promise<void> {
  const made = await mkdir(layout.root, { recursive: true })
  for (const folder of layout.folders) await mkdir(folder, { recursive: true })
  if (durable) await syncFolders(layout, made)
  for (const folder of [layout.root, ...layout.folders]) {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  }
  await checkOneFileSystem(layout)
}

/**
 * Nothing in a directory is on disk before the directory itself is. @param made the outermost directory just created.
 */
async function syncFolders({ root }: Layout, made: string | undefined): Promise<void> {
  await syncPath(root, 'all')
  if (made === undefined) return
  for (let folder = root; folder !== path.dirname(made); folder = path.dirname(folder)) {
    await syncPath(path.dirname(folder), 'all')
  }
}

/** Tries a rename instead of comparing device numbers: two mounts of one file system have the same number. */
async function checkOneFileSystem(layout: Layout): Promise<void> {
  const name = `.probe-${randomUUID()}`
  const from = path.join(layout.incoming, name)
  const to = path.join(layout.files, name)
  await (await open(from, 'wx')).close()
  try {
    await rename(from, to)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    throw new Error(`${layout.incoming} and ${layout.files} must be on one file system.`)
  } finally {
    await rm(from, { force: true })
    await rm(to, { force: true })
  }
}
