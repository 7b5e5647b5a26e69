import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../core/errors.ts'
import { syncPath } from './disk-error.ts'
import type { Layout } from './layout.ts'

/**
 * Makes the folders of a data folder and checks that it can be used.
 *
 * @param durable whether the folders are on the disk when this returns.
 * @throws Error with a sentence for the operator when the folders are on two file systems; the system's error when one is
 * not accessible.
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

/** Nothing in a folder is on the disk before the folder itself is. @param made the outermost folder that was made just now. */
async function syncFolders({ root }: Layout, made: string | undefined): Promise<void> {
  await syncPath(root, 'all')
  if (made === undefined) return
  for (let folder = root; folder !== path.dirname(made); folder = path.dirname(folder)) {
    await syncPath(path.dirname(folder), 'all')
  }
}

/** A rename is tried, not the device numbers: two mounts of one file system have the same. */
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
