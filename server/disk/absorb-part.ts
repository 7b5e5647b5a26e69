import { lutimes, rename, stat } from 'node:fs/promises'
import type { StoredUpload } from '../core/store.ts'
import type { Environment } from './environment.ts'
import { syncPath, withExisting } from './files.ts'

/**
 * Makes the file of a closed part the file of its final upload. A crash after any step leaves the bytes with one of
 * them; the final upload then absorbs the part again.
 *
 * @param length bytes of the part that count.
 * @throws the OS error, UploadError `sync_failed`.
 */
export async function absorbPart(
  environment: Environment,
  upload: StoredUpload,
  part: StoredUpload,
  length: number,
): Promise<void> {
  const { layout, boot, sync, directorySync, onStep } = environment
  const from = layout.incomingFile(part.record.id)
  // Bytes after the end were refused, and without a journal the size is the offset.
  if ((await stat(from)).size > length) await withExisting(from, (file) => file.truncate(length))
  if (sync !== 'never') await syncPath(from, 'data')
  await part.update((record) => ({ ...record, joined: true }))
  onStep('takeover:joined')
  await upload.update((record) => ({ ...record, mark: { boot, synced: length } }))
  if (sync !== 'never') {
    // If only the rename reached the disk, the bytes would count as unsynced after a power cut.
    const folders = new Set([upload.record.id, part.record.id].map((id) => layout.recordFolder(id)))
    await Promise.all([...folders].map((folder) => directorySync.sync(folder)))
  }
  onStep('takeover:marked')
  // An upload expires by the time of its file: this one has just received bytes, however old the part is.
  const now = new Date()
  await lutimes(from, now, now)
  await rename(from, layout.incomingFile(upload.record.id))
  // A later journal will count these bytes, so the rename must be on disk before it.
  if (sync === 'always') await directorySync.sync(layout.incoming)
}
