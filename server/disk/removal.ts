import { lstat, readdir, rename, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../core/errors.ts'
import type { Environment } from './environment.ts'
import { ifThere } from './files.ts'
import { levelsOf } from './finished-folders.ts'
import { readRecord } from './record-file.ts'
import { completeTombstone, readTombstone, type Tombstone } from './tombstone.ts'

interface Removal {
  /** That of the record. */
  readonly folder: string | undefined
  /** Whether the tombstone stays. By default, its text decides. */
  readonly isRemembered?: boolean
  /** Whether the tombstone is known to have its text. */
  readonly isWhole: boolean
  readonly onStep: (step: 'bytes' | 'record') => void
}

/**
 * Removes what remains of an upload with a tombstone in `leaving`; any step may already be done.
 *
 * @throws the OS error, UploadError `sync_failed`.
 */
export async function removeBytes(environment: Environment, id: string, own?: Removal): Promise<void> {
  const { layout, sync } = environment
  const removal = own ?? (await interrupted(environment, id))
  await rm(layout.incomingFile(id), { force: true })
  await removeFinished(environment, id, removal.folder)
  await rm(layout.journal(id), { force: true })
  await environment.quarantine.remove(id)
  removal.onStep('bytes')
  const tombstone = path.join(layout.leaving, id)
  const isRemembered = removal.isRemembered ?? !(await readTombstone(tombstone))?.isOfRefused
  if (isRemembered && !removal.isWhole) await keepOwner(environment, id)
  await removeRecord(environment, id)
  removal.onStep('record')
  if (sync === 'always') await syncRemoval(environment, id, removal.folder)
  if (isRemembered) await ifThere(() => rename(tombstone, path.join(layout.gone, id)))
  else await rm(tombstone, { force: true })
}

/**
 * Removes an upload, or its tombstone, without a trace: another store has it. Its bytes stay in the quarantine, if it
 * was rejected.
 *
 * @throws the OS error.
 */
export async function eraseUpload(environment: Environment, id: string): Promise<void> {
  const { layout } = environment
  const { folder } = await interrupted(environment, id)
  await rm(layout.incomingFile(id), { force: true })
  await removeFinished(environment, id, folder)
  await rm(layout.journal(id), { force: true })
  await removeRecord(environment, id)
  await rm(path.join(layout.gone, id), { force: true })
}

/** The tombstone of an upload whose removal has begun; while it lacks its text, the record has the owner. */
export async function leavingTombstone(environment: Environment, id: string): Promise<Tombstone | undefined> {
  const tombstone = await readTombstone(path.join(environment.layout.leaving, id))
  if (tombstone === undefined || tombstone.isWhole) return tombstone
  const record = await readRecord(environment, id).catch(() => 'torn' as const)
  return typeof record === 'string' ? tombstone : { ...tombstone, owner: record.owner }
}

async function removeRecord({ layout, recordFolders }: Environment, id: string): Promise<void> {
  await rm(layout.record(id), { force: true })
  // The last record of a group takes its directory with it.
  await rmdir(layout.recordFolder(id)).then(
    () => recordFolders.forget(layout.recordFolder(id)),
    () => undefined,
  )
}

/** Repeats the owner in a tombstone without text: the removed bytes may have made room for it. */
async function keepOwner(environment: Environment, id: string): Promise<void> {
  const tombstone = await leavingTombstone(environment, id)
  if (tombstone?.isWhole !== false || tombstone.owner === undefined) return
  const place = path.join(environment.layout.leaving, id)
  await completeTombstone(place, 'deleted', tombstone.owner).catch(() => undefined)
}

/** A removal that begins again. The record, which is removed last, has the folder. */
async function interrupted(environment: Environment, id: string): Promise<Removal> {
  const record = await readRecord(environment, id).catch(() => 'torn' as const)
  const folder = typeof record === 'string' ? undefined : record.folder
  return { folder, isWhole: false, onStep: () => undefined }
}

/** Removes the finished file of an upload, its directory, and the folders that are empty then. */
async function removeFinished(environment: Environment, id: string, folder: string | undefined): Promise<void> {
  const { layout, finishedFolders } = environment
  // A planted link would lead to files of others.
  if (folder !== undefined && (await finishedFolders.isBlocked(folder))) return
  await removeOwn(layout.finishedFolder(id, folder))
  if (folder !== undefined) await finishedFolders.tidy(folder)
}

/** The directory of an upload may contain those of others, because the application chooses folders. */
async function removeOwn(folder: string): Promise<void> {
  const stats = await ifThere(() => lstat(folder))
  if (stats === undefined) return
  if (!stats.isDirectory()) return rm(folder, { force: true })
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) await rm(path.join(folder, entry.name), { force: true })
  }
  await ifThere(() => rmdir(folder)).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'EEXIST') throw error
  })
}

/** Runs before the tombstone leaves the directory that the start cleans up: a power cut must not revive the upload. */
async function syncRemoval(
  { layout, directorySync }: Environment,
  id: string,
  folder: string | undefined,
): Promise<void> {
  const above = folder === undefined ? [] : levelsOf(folder).map((level) => path.join(layout.files, level))
  const folders = [layout.incoming, layout.files, ...above, layout.records, layout.recordFolder(id)]
  await Promise.all(folders.map((folder) => ifThere(() => directorySync.sync(folder))))
}
