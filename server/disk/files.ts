import { closeSync, constants, fchmodSync, fdatasync, fstatSync, fsync, open, type Stats, writev } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { systemCode } from '../core/errors.ts'
import { measured, SYNCS } from '../core/measured.ts'
import { bytesIn } from '../core/reader.ts'
import { diskError, synced } from './disk-error.ts'
import { type Permission, PRIVATE_FILE } from './modes.ts'

/**
 * Syncs a file or directory through its own descriptor.
 *
 * @param what `data` like fdatasync(2), `all` like fsync(2).
 * @throws UploadError `sync_failed` when the sync fails; the OS error when the file cannot be opened, which is not
 * final.
 */
export async function syncPath(file: string, what: 'data' | 'all'): Promise<void> {
  const handle = await fs.open(file, 'r')
  try {
    await synced(() => (what === 'data' ? handle.datasync() : handle.sync()))
  } finally {
    await handle.close()
  }
}

/** Returns the result of `work`, or `undefined` if its file or directory does not exist. */
export async function ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/**
 * Replaces a small file durably: after a crash or a power cut, it has the old content or the new.
 *
 * @throws UploadError `sync_failed`; the OS error.
 */
export async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.tmp`
  const handle = await openNew(temporary)
  try {
    await handle.writeFile(content)
    await synced(() => handle.sync())
  } finally {
    await handle.close()
  }
  await fs.rename(temporary, file)
  await syncPath(path.dirname(file), 'all')
}

/** Whether a file or directory exists. @throws the OS error when that cannot be determined. */
export async function exists(file: string): Promise<boolean> {
  return (await ifThere(() => fs.stat(file))) !== undefined
}

/** Whether a file has another name, too. @throws the OS error when that cannot be determined. */
export async function hasOtherLink(file: string): Promise<boolean> {
  const stats = await ifThere(() => fs.lstat(file))
  return stats?.isFile() === true && stats.nlink > 1
}

/** Creates a directory in an existing one. @throws the OS error, `EEXIST` if there is one. */
export async function makeNewFolder(folder: string, { bits, isMasked }: Permission): Promise<void> {
  await fs.mkdir(folder, { mode: bits })
  if (isMasked) await fs.chmod(folder, bits)
}

/**
 * Creates a directory in an existing one, unless it exists. Node's `recursive` would report a full disk as ENOENT.
 *
 * @throws the OS error.
 */
export async function makeFolder(folder: string, permission: Permission): Promise<void> {
  try {
    await makeNewFolder(folder, permission)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

/**
 * Opens a new file for writing, in place of a leftover of the same name. The creation is exclusive: it never follows a
 * link or opens a file that another user has planted there.
 *
 * @throws the OS error.
 */
export async function openNew(file: string): Promise<fs.FileHandle> {
  try {
    return await fs.open(file, 'wx', PRIVATE_FILE.bits)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  await fs.rm(file, { force: true })
  return fs.open(file, 'wx', PRIVATE_FILE.bits)
}

/** Opens an existing file for writing. @throws the OS error, `ELOOP` for a link: another user may have planted it. */
export function openExisting(file: string): Promise<fs.FileHandle> {
  return fs.open(file, constants.O_RDWR | constants.O_NOFOLLOW)
}

/** Runs `work` on an existing file. @throws like `openExisting`, and what `work` throws. */
export async function withExisting<T>(file: string, work: (handle: fs.FileHandle) => Promise<T>): Promise<T> {
  const handle = await openExisting(file)
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}

/** Opens a file for reading. @throws the OS error, `ELOOP` for a link: another user may have planted it. */
export function openToRead(file: string): Promise<fs.FileHandle> {
  return fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
}

const NAMES_PER_READ = 256

/**
 * Lists the names in a directory, one at a time: there may be very many. Names added or removed meanwhile may or may
 * not appear.
 *
 * @throws the OS error.
 */
export async function* namesIn(folder: string): AsyncGenerator<string> {
  for await (const { name } of await fs.opendir(folder, { bufferSize: NAMES_PER_READ })) yield name
}

/**
 * Writes all buffers at `position`, however few bytes each `writev` writes.
 *
 * @param written receives the number of written bytes if the write fails.
 * @returns the number of written bytes.
 * @throws UploadError `no_space`, `too_large`, `storage_error`.
 */
export async function writeAll(
  file: Pick<fs.FileHandle, 'writev'>,
  buffers: readonly Buffer[],
  position: number,
  written: (bytes: number) => void = () => undefined,
): Promise<number> {
  const total = bytesIn(buffers)
  let left = [...buffers]
  let done = 0
  try {
    while (done < total) {
      const { bytesWritten } = await file.writev(left, position + done)
      done += bytesWritten
      left = skip(left, bytesWritten)
    }
  } catch (error) {
    written(done)
    throw diskError(error)
  }
  return done
}

function skip(buffers: Buffer[], bytes: number): Buffer[] {
  let toSkip = bytes
  const left: Buffer[] = []
  for (const buffer of buffers) {
    if (toSkip < buffer.length) left.push(buffer.subarray(toSkip))
    toSkip = Math.max(0, toSkip - buffer.length)
  }
  return left
}

const openFile = promisify(open)
const writeTo = promisify(writev)
const syncs = { none: undefined, data: promisify(fdatasync), all: promisify(fsync) }

/**
 * Creates a small file with its content. Calls that may wait for the disk run in the thread pool; fstat and close only
 * touch memory, and cost less than a round trip to the pool.
 *
 * @param sync `none`, `data` like fdatasync(2), or `all` like fsync(2).
 * @param written runs once the content can be read, while it is synced.
 * @throws the OS error, `EEXIST` if the file exists; what `written` throws. After any error but `EEXIST`, there is no
 * such file.
 */
export async function writeNewFile(
  file: string,
  buffers: readonly Buffer[],
  sync: 'none' | 'data' | 'all',
  { bits, isMasked }: Permission,
  written?: () => Promise<void>,
): Promise<Stats> {
  const descriptor = await openFile(file, 'wx', bits)
  let isOpen = true
  try {
    if (isMasked) fchmodSync(descriptor, bits)
    await writeAll({ writev: (left, position) => writeTo(descriptor, left, position) }, buffers, 0)
    const meanwhile = written?.()
    // Awaited below, even if the sync fails first.
    meanwhile?.catch(() => undefined)
    const syncIt = syncs[sync]
    try {
      if (syncIt !== undefined) await measured(SYNCS, 'sync', () => syncIt(descriptor))
    } finally {
      await meanwhile
    }
    const stats = fstatSync(descriptor)
    isOpen = false
    closeSync(descriptor)
    return stats
  } catch (error) {
    if (isOpen) closeSync(descriptor)
    await fs.rm(file, { force: true })
    throw error
  }
}
