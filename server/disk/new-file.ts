import { closeSync, fdatasync, fstatSync, fsync, open, type Stats, writev } from 'node:fs'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { writeAll } from './write-all.ts'

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
    await rm(file, { force: true })
    throw error
  }
}
