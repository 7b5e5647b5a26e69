import { type FileHandle, rename } from 'node:fs/promises'
import { UploadError } from '../core/errors.ts'
import type { UploadRecord } from '../core/record.ts'
import { onDisk, synced } from './disk-error.ts'
import type { Environment } from './environment.ts'
import { makeFolder } from './files.ts'
import { syncRecord } from './record-file.ts'
import { makeFinishedFolder } from './upload-files.ts'

/**
 * Commits the file of a complete upload: syncs it, and moves it to its final path. The directories are not synced yet.
 *
 * @param file its incoming file.
 * @param after the rename waits for it; if it rejects, there is none.
 * @returns when its last byte was written.
 * @throws UploadError `sync_failed`, `no_space`, `storage_error`, and the reason of `after`.
 */
export async function moveToFiles(
  environment: Environment,
  record: UploadRecord,
  file: FileHandle,
  after?: Promise<void>,
): Promise<Date> {
  const { layout, sync, onStep } = environment
  const { id, length } = record
  const { mtime, size } = await onDisk(() => file.stat())
  // Refused bytes may follow the end: of a wrong checksum, or from before the length was known.
  if (length !== null && size > length) await onDisk(() => file.truncate(length))
  else if (size !== length) throw new UploadError('storage_error', 'The stored file does not have the declared length.')
  if (sync !== 'never') {
    await synced(() => file.datasync())
    await onDisk(() => syncRecord(environment, id))
  }
  onStep('finish:synced')
  await onDisk(() => makeFinishedFolder(environment, record, makeFolder))
  onStep('finish:folder')
  await after
  await onDisk(() => rename(layout.incomingFile(id), layout.finishedFile(record)))
  onStep('finish:renamed')
  return mtime
}
