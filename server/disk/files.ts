import { closeSync, fdatasync, fstatSync, fsync, open, type Stats, writev } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { systemCode } from '../core/errors.ts'
import { bytesIn } from '../core/reader.ts'
import { diskError, synced } from './disk-error.ts'

/**
 * Syncs a file or folder through a descriptor of its own.
 *
 * @param what `data`: the bytes and what it takes to read them; `all`: also the rest of what is known of the file.
 * @throws UploadError `sync_failed` when the sync fails; the system's error when the file cannot even be opened, which says
 * nothing about its bytes.
 */
export async function syncPath(file: string, what: 'data' | 'all'): Promise<void> {
  const handle = await fs.open(file, 'r')
  try {
    await synced(() => (what === 'data' ? handle.datasync() : handle.sync()))
  } finally {
    await handle.close()
  }
}

/** What `work` gives, or `undefined` when the file or folder that it needs is not there. */
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
export async function replaceFile(file: string, content: string, mode = 0o666): Promise<void> {
  const temporary = `${file}.tmp`
  const handle = await fs.open(temporary, 'w', mode)
  try {
    await handle.writeFile(content)
    await synced(() => handle.sync())
  } finally {
    await handle.close()
  }
  await fs.rename(temporary, file)
  await syncPath(path.dirname(file), 'all')
}

/** Whether there is a file or folder of this name. @throws the system's error when that cannot be seen. */
export async function exists(file: string): Promise<boolean> {
  return (await ifThere(() => fs.stat(file))) !== undefined
}

/**
 * Makes a folder, unless it is there, in one that is. (What Node makes with `recursive` hides why it could not be made: a full
 * disk becomes a folder that does not exist.)
 *
 * @throws the system's error.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await fs.mkdir(folder)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

/** How many names to read at once. */
const BATCH = 256

/**
 * Lists the names in a directory, one at a time: there may be very many. Names added or removed meanwhile may or may
 * not appear.
 *
 * @throws the OS error.
 */
export async function* namesIn(folder: string): AsyncGenerator<string> {
  for await (const { name } of await fs.opendir(folder, { bufferSize: BATCH })) yield name
}

/**
 * Writes all of the buffers at `position`. `writev` may write less than it was given without an error: then the rest follows.
 *
 * @param written told how many bytes reached the file when it fails after a part of them.
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
 * Makes a small file with all its bytes. What waits for the disk has its turn in the thread pool; asking for the size and closing
 * touch memory only, and such a turn costs more than they do.
 *
 * @param sync what of it is on the disk when this returns: nothing for sure, the `data`, `all` that is known of the file.
 * @throws the system's error, `EEXIST` if there is such a file; otherwise there is none afterwards.
 */
export async function writeNewFile(
  file: string,
  buffers: readonly Buffer[],
  sync: 'none' | 'data' | 'all',
): Promise<Stats> {
  const descriptor = await openFile(file, 'wx')
  let isOpen = true
  try {
    await writeAll({ writev: (left, position) => writeTo(descriptor, left, position) }, buffers, 0)
    await syncs[sync]?.(descriptor)
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
