import { rm, stat } from 'node:fs/promises'
import type { Environment } from './environment.ts'
import { ifThere, openExisting, openNew } from './files.ts'
import { syncRecord } from './record-file.ts'

// Each function frees the disk space of an upload whose record stays. First the record reaches the disk that says why:
// after a power cut, the upload would be gone otherwise, or have zeros for bytes. They throw the OS error, and
// UploadError `sync_failed`.

/** Removes the bytes of a part that its final upload has. */
export async function removeJoined({ layout, sync, directorySync, onStep }: Environment, id: string): Promise<void> {
  if (sync !== 'never') await directorySync.sync(layout.recordFolder(id))
  onStep('release:marked')
  await rm(layout.incomingFile(id), { force: true })
  onStep('release:bytes')
  await rm(layout.journal(id), { force: true })
}

/** Empties the file of a failed upload. */
export async function emptyFailed(environment: Environment, id: string): Promise<void> {
  const { layout, directorySync } = environment
  const stats = await ifThere(() => stat(layout.incomingFile(id)))
  if (stats === undefined || stats.blocks === 0) return
  await syncRecord(environment, id)
  await directorySync.sync(layout.recordFolder(id))
  // The bytes of a file with several links are those of finished uploads: only the name is this one's.
  const emptied = stats.nlink > 1 ? openNew : openExisting
  const file = await emptied(layout.incomingFile(id))
  try {
    await file.truncate(0)
    // The offset that the client has seen stays valid.
    await file.truncate(stats.size)
  } finally {
    await file.close()
  }
}

/** Moves the bytes of a rejected upload into the quarantine. */
export async function quarantineRejected(environment: Environment, id: string): Promise<void> {
  const { layout, quarantine, directorySync, onStep } = environment
  if ((await ifThere(() => stat(layout.incomingFile(id))))?.size === 0) return
  await syncRecord(environment, id)
  await directorySync.sync(layout.recordFolder(id))
  await quarantine.take(id, () => onStep('reject:moved'))
  await rm(layout.journal(id), { force: true })
}
