import { randomUUID } from 'node:crypto'
import { access, chmod, constants, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../core/errors.ts'
import { exists, ifThere, makeFolder, replaceFile, syncPath } from './files.ts'
import type { Layout } from './layout.ts'
import { type Modes, type Permission, PRIVATE_FOLDER } from './modes.ts'

/** The format of new data directories. */
const FORMAT = 1

/** The format of data directories with files in folders. */
export const FOLDERS_FORMAT = 2
/** That of directories with files that uploads share by links, and the latest one that this version reads. */
export const LINKS_FORMAT = 3

/**
 * Checks that this version can read a data directory. One without a format file has format 1.
 *
 * @throws Error with a sentence for the operator when a newer version wrote it, or its format file is damaged.
 */
export async function checkFormat(layout: Layout): Promise<void> {
  await readFormat(layout)
}

async function readFormat(layout: Layout): Promise<number> {
  const content = await ifThere(() => readFile(layout.format, 'utf8')).catch((error: unknown) => {
    if (systemCode(error) === 'EISDIR') return ''
    throw error
  })
  if (content === undefined) return FORMAT
  if (!/^[1-9]\d{0,8}\r?\n?$/.test(content)) {
    throw new Error(
      `${layout.format} does not contain a format number: move it away if another program wrote it; ` +
        `otherwise write ${FORMAT} to it.`,
    )
  }
  if (Number(content) > LINKS_FORMAT) {
    throw new Error(
      `The data directory ${layout.root} was written by a newer version of Landfall (format ${Number(content)}); ` +
        `this version reads formats up to ${LINKS_FORMAT}.`,
    )
  }
  return Number(content)
}

/**
 * Makes versions refuse a data directory that do not read this format.
 *
 * @returns whether it had an older one.
 * @throws like `checkFormat`; UploadError `sync_failed`.
 */
export async function raiseFormat(layout: Layout, format: number): Promise<boolean> {
  if ((await readFormat(layout)) >= format) return false
  await replaceFile(layout.format, `${format}\n`)
  return true
}

/** Writes the format file, unless there is one. @throws the OS error, UploadError `sync_failed`. */
export async function writeFormat(layout: Layout): Promise<void> {
  if (!(await exists(layout.format))) await replaceFile(layout.format, `${FORMAT}\n`)
}

/**
 * Creates the directories of a data directory and checks that they are usable. Existing ones keep their permissions.
 *
 * @param wanted the permissions of finished files, and of the directories that lead to them, as for chmod(2).
 * @param durable whether the directories are on disk when this returns.
 * @throws Error with a sentence for the operator when they are on two file systems; the OS error when one is not
 * accessible.
 */
export async function prepareFolders(
  layout: Layout,
  wanted: { readonly file: number; readonly folder: number },
  durable: boolean,
): Promise<Modes> {
  const made = await mkdir(layout.root, { recursive: true, mode: wanted.folder })
  for (const folder of layout.folders) if (folder !== layout.files) await makeFolder(folder, PRIVATE_FOLDER)
  const probe = `.probe-${randomUUID()}`
  const [from, to] = [path.join(layout.incoming, probe), path.join(layout.files, probe)]
  try {
    const modes = await modesOf(from, wanted)
    await makeFolder(layout.files, modes.folder)
    if (modes.folder.isMasked) for (const folder of pathsFrom(made, layout.root)) await chmod(folder, wanted.folder)
    if (durable) await syncFolders(layout, made)
    for (const folder of [layout.root, ...layout.folders]) {
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    }
    await checkOneFileSystem(layout, from, to)
    return modes
  } finally {
    await rm(from, { force: true })
    await rm(to, { force: true })
  }
}

/**
 * Creates a file to see which permissions the umask takes away. The umask is never changed, because it belongs to the
 * whole process. A file system that ignores permissions is left alone.
 */
async function modesOf(probe: string, { file, folder }: { file: number; folder: number }): Promise<Modes> {
  const wanted = file | folder
  const handle = await open(probe, 'wx', wanted)
  const lacking = async (): Promise<number> => wanted & ~(await handle.stat()).mode
  try {
    const masked = await lacking()
    if (masked !== 0) await handle.chmod(wanted).catch(() => undefined)
    const settable = masked & ~(await lacking())
    const permission = (bits: number): Permission => ({ bits, isMasked: (bits & settable) !== 0 })
    return { file: permission(file), folder: permission(folder) }
  } finally {
    await handle.close()
  }
}

/** The directories from the outermost one that was made to the innermost. */
function pathsFrom(made: string | undefined, innermost: string): readonly string[] {
  if (made === undefined) return []
  const outer = innermost === made ? [] : pathsFrom(made, path.dirname(innermost))
  return [...outer, innermost]
}

/**
 * Nothing in a directory is on disk before the directory itself is. @param made the outermost directory just created.
 */
async function syncFolders({ root }: Layout, made: string | undefined): Promise<void> {
  await syncPath(root, 'all')
  for (const folder of pathsFrom(made, root)) await syncPath(path.dirname(folder), 'all')
}

/** Tries a rename instead of comparing device numbers: two mounts of one file system have the same number. */
async function checkOneFileSystem({ incoming, files }: Layout, from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    throw new Error(`${incoming} and ${files} must be on one file system.`)
  }
}
