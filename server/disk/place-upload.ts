import { open, rename, rm, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { Carried, Removed } from '../core/depot.ts'
import type { Ranges } from '../core/ranges.ts'
import type { Environment } from './environment.ts'
import { makeFolder, syncPath, writeAll } from './files.ts'
import { Journal } from './journal.ts'
import { createRecord } from './record-file.ts'
import { makeTombstone } from './tombstone.ts'
import { makeFinishedFolder } from './upload-files.ts'

/**
 * Makes an upload of another store one of this. Its record, which is written last, is the commit: a crash before leaves
 * only files that the next try replaces, or the next start sets aside.
 *
 * @param upload there must be none with its id.
 * @throws UploadError `sync_failed`, `no_space`; the OS error.
 */
export async function placeUpload(environment: Environment, upload: Carried): Promise<void> {
  const { layout, sync, boot, directorySync } = environment
  const { id } = upload.record
  if (upload.hasBytes) await placeBytes(environment, upload)
  const synced = isPlain(upload.received) ? (upload.received[0]?.end ?? 0) : 0
  await createRecord(environment, { ...upload.record, mark: { boot, synced } }, sync !== 'never')
  if (sync !== 'never') await directorySync.sync(layout.recordFolder(id))
}

/** Makes a tombstone of another store one of this. @throws the OS error. */
export async function placeTombstone({ layout }: Environment, { id, why, at, owner }: Removed): Promise<void> {
  const place = path.join(layout.gone, id)
  await makeTombstone(place, why, owner, false)
  await utimes(place, at, at)
}

async function placeBytes(environment: Environment, upload: Carried): Promise<void> {
  const { layout, sync } = environment
  // One place for all, so that a run that was killed has left one file at most.
  const own = path.join(layout.quarantine, '.move')
  await rm(own, { force: true })
  try {
    await writeBytes(environment, upload, own)
    if (sync !== 'never') await syncPath(own, 'all')
    await (upload.finishedAt === undefined ? placeIncoming : placeFinished)(environment, upload, own)
  } finally {
    await rm(own, { force: true })
  }
}

/** Bytes of a file of another store, at their places. */
async function writeBytes({ modes }: Environment, upload: Carried, own: string): Promise<void> {
  const file = await open(own, 'wx', modes.file.bits)
  try {
    if (modes.file.isMasked) await file.chmod(modes.file.bits)
    for (const range of upload.received) {
      let position = range.start
      for await (const bytes of upload.read(range)) position += await writeAll(file, [bytes], position)
    }
  } finally {
    await file.close()
  }
  const at = upload.finishedAt ?? upload.changedAt
  await utimes(own, at, at)
}

async function placeFinished(environment: Environment, { record }: Carried, own: string): Promise<void> {
  const { layout, sync, directorySync, finishedFolders } = environment
  if (record.folder !== undefined) await finishedFolders.announce()
  await makeFinishedFolder(environment, record, makeFolder)
  await rename(own, layout.finishedFile(record))
  const folder = layout.finishedFolder(record.id, record.folder)
  if (sync !== 'never') for (const changed of [folder, path.dirname(folder)]) await directorySync.sync(changed)
}

async function placeIncoming(environment: Environment, upload: Carried, own: string): Promise<void> {
  const { layout, sync, boot, directorySync } = environment
  const { received, changedAt, record } = upload
  await rename(own, layout.incomingFile(record.id))
  if (!isPlain(received)) {
    const journal = layout.journal(record.id)
    await Journal.create(journal, boot, { received, synced: received }, sync !== 'never')
    // An upload expires by the time of its last byte.
    await utimes(journal, changedAt, changedAt)
  }
  // A record without bytes would be an upload that is gone.
  if (sync !== 'never') for (const changed of [layout.incoming, layout.journals]) await directorySync.sync(changed)
}

/** Whether the size of the file says which bytes count. */
function isPlain(received: Ranges): boolean {
  return received.length === 0 || (received.length === 1 && received[0]?.start === 0)
}
