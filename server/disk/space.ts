import { statfs } from 'node:fs/promises'
import type { Space } from '../core/store.ts'
import { onDisk } from './disk-error.ts'

/** What is free on the disk of a directory. @throws UploadError `storage_error`. */
export async function spaceOf(folder: string): Promise<Space> {
  const { blocks, bavail, bsize, files, ffree } = await onDisk(() => statfs(folder))
  const unlimited = Number.POSITIVE_INFINITY
  // A file system that creates inodes as needed reports none at all.
  const [inodes, freeInodes] = files === 0 ? [unlimited, unlimited] : [files, ffree]
  return { bytes: blocks * bsize, freeBytes: bavail * bsize, inodes, freeInodes }
}
