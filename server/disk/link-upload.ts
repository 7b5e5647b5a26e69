import { link, lstat, rm } from 'node:fs/promises'
import { notShared, systemCode } from '../core/errors.ts'
import { add } from '../core/ranges.ts'
import type { UploadRecord } from '../core/record.ts'
import type { StoredUpload } from '../core/store.ts'
import { createRecordFor, syncCreation } from './create-upload.ts'
import { LINKS_FORMAT } from './data-directory.ts'
import { onDiskWithoutBytes } from './disk-error.ts'
import { DiskUpload } from './disk-upload.ts'
import type { Environment } from './environment.ts'

/**
 * The errors of link(2) that say nothing about the disk: the file is gone, has too many links, or is on another file
 * system, or the file system has no links, or the OS does not permit one.
 */
const NO_LINK: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ENOTDIR',
  'EMLINK',
  'EXDEV',
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
])

/**
 * Creates an upload with the bytes of a finished one, by a second link to its file: see `Store.createFrom`.
 *
 * @throws UploadError `not_found`, `no_space`, `storage_error`; then none exists.
 */
export async function linkUpload(
  environment: Environment,
  intended: UploadRecord,
  source: UploadRecord,
): Promise<StoredUpload> {
  const { layout, boot, sync, format, finishedFolders, onStep } = environment
  const { id, length } = intended
  if (length === null || source.length !== length) throw notShared()
  // The bytes of a finished file are on disk, so none of them is cut off after a reboot: that would shorten both.
  const record: UploadRecord = { ...intended, mark: { boot, synced: length } }
  return onDiskWithoutBytes(async () => {
    // Versions before links would shorten the file of the source, when the new upload fails.
    await format.raiseTo(LINKS_FORMAT)
    if (source.folder !== undefined) await finishedFolders.check(source.folder)
    await linkFile(layout.finishedFile(source), layout.incomingFile(id), length)
    onStep('link:bytes')
    await createRecordFor(environment, record, sync === 'always')
    if (sync === 'always') await syncCreation(environment, id)
    onStep('link:record')
    return new DiskUpload(environment, { record, received: add([], { start: 0, end: length }), journal: undefined })
  })
}

/** @throws UploadError `not_found`; the OS error. */
async function linkFile(from: string, to: string, length: number): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    throw NO_LINK.has(systemCode(error)) ? notShared() : error
  }
  // Another user may have planted a symbolic link, or somebody has changed the file.
  const stats = await lstat(to)
  if (stats.isFile() && stats.size === length) return
  await rm(to, { force: true })
  throw notShared()
}
