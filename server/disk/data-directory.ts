import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../core/errors.ts'
import { exists, ifThere, replaceFile, syncPath } from './files.ts'
import type { Layout } from './layout.ts'

/** The latest format of data directories that this version reads, and the one that it writes. */
const FORMAT = 1

/**
 * Checks that this version can read a data directory. One without a format file has format 1.
 *
 * @throws Error with a sentence for the operator when a newer version wrote it, or its format file is damaged.
 */
export async function checkFormat(layout: Layout): Promise<void> {
  const content = await ifThere(() => readFile(layout.format, 'utf8')).catch((error: unknown) => {
    if (systemCode(error) === 'EISDIR') return ''
    throw error
  })
  if (content === undefined) return
  if (!/^[1-9]\d{0,8}\r?\n?$/.test(content)) {
    throw new Error(
      `${layout.format} does not contain a format number: move it away if another program wrote it; ` +
        `otherwise write ${FORMAT} to it.`,
    )
  }
  if (Number(content) > FORMAT) {
    throw new Error(
      `The data directory ${layout.root} was written by a newer version of Landfall (format ${Number(content)}); ` +
        `this version reads formats up to ${FORMAT}.`,
    )
  }
}

/** Writes the format file, unless there is one. @throws the OS error, UploadError `sync_failed`. */
export async function writeFormat(layout: Layout): Promise<void> {
  if (!(await exists(layout.format))) await replaceFile(layout.format, `${FORMAT}\n`)
}

/**
 * Creates the directories of a data directory and checks that they are usable.
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
