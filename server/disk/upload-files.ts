import type { Stats } from 'node:fs'
import { rename, rm, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { UploadRecord } from '../core/record.ts'
import type { Environment } from './environment.ts'
import { exists, ifThere } from './files.ts'

/**
 * Removes what remains of an upload with a tombstone in `leaving`; any step may already be done.
 *
 * @param isRemembered whether its tombstone stays.
 */
export async function removeBytes(
  environment: Environment,
  id: string,
  isRemembered = true,
  onStep: (step: 'bytes' | 'record') => void = () => undefined,
): Promise<void> {
  const { layout, sync } = environment
  await rm(layout.incomingFile(id), { force: true })
  await rm(layout.finishedFolder(id), { force: true, recursive: true })
  await rm(layout.journal(id), { force: true })
  await environment.quarantine.remove(id)
  onStep('bytes')
  await rm(layout.record(id), { force: true })
  // The last record of a group takes its directory with it.
  await rmdir(layout.recordFolder(id)).then(
    () => environment.recordFolders.forget(layout.recordFolder(id)),
    () => undefined,
  )
  onStep('record')
  if (sync === 'always') await syncRemoval(environment, id)
  const tombstone = path.join(layout.leaving, id)
  if (isRemembered) await ifThere(() => rename(tombstone, path.join(layout.gone, id)))
  else await rm(tombstone, { force: true })
}

/** Runs before the tombstone leaves the directory that the start cleans up: a power cut must not revive the upload. */
async function syncRemoval({ layout, directorySync }: Environment, id: string): Promise<void> {
  const folders = [layout.incoming, layout.files, layout.records, layout.recordFolder(id)]
  await Promise.all(folders.map((folder) => ifThere(() => directorySync.sync(folder))))
}

/**
 * When the last byte of an unfinished upload arrived, by its file and its journal, or when a finished one was renamed.
 */
export async function lastChange(environment: Environment, id: string): Promise<Date> {
  const { layout } = environment
  const files = [layout.incomingFile(id), layout.journal(id)]
  const found = await Promise.all(files.map((file) => ifThere<Stats>(() => stat(file))))
  const times = found.flatMap((stats) => (stats === undefined ? [] : [stats.mtimeMs]))
  if (times.length > 0) return new Date(Math.max(...times))
  const landed = await ifThere<Stats>(() => stat(layout.finishedFolder(id)))
  return new Date(landed?.mtimeMs ?? 0)
}

/** Makes the directory entries of a finished upload durable. Concurrent calls share the syncs. */
export async function syncLanding({ layout, directorySync }: Environment, id: string): Promise<void> {
  const folders = [layout.finishedFolder(id), layout.files, layout.incoming, layout.recordFolder(id)]
  await Promise.all(folders.map((folder) => directorySync.sync(folder)))
}

/**
 * Whether a record is an orphan: a final upload without bytes or a tombstone, because a power cut came before its
 * creation was on disk. Its id is derived from its parts, so it must become free again; other uploads count as gone.
 */
export async function isOnlyRecord(
  { layout }: Environment,
  { id, fileName, parts, failed }: UploadRecord,
): Promise<boolean> {
  if (parts === undefined || failed !== undefined) return false
  const places = [path.join(layout.leaving, id), path.join(layout.gone, id)]
  const found = await Promise.all([...places, path.join(layout.finishedFolder(id), fileName)].map(exists))
  return !found.includes(true)
}
