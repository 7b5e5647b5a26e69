import { rename, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import type { Environment } from './environment.ts'
import { ifThere } from './files.ts'
import { readRecord } from './record-file.ts'
import { completeTombstone, readTombstone, type Tombstone } from './tombstone.ts'

interface Removal {
  /** Whether the tombstone stays. By default, its text decides. */
  readonly isRemembered?: boolean
  /** Whether the tombstone is known to have its text. */
  readonly isWhole: boolean
  readonly onStep: (step: 'bytes' | 'record') => void
}

const INTERRUPTED: Removal = { isWhole: false, onStep: () => undefined }

/**
 * Removes what remains of an upload with a tombstone in `leaving`; any step may already be done.
 *
 * @throws the OS error, UploadError `sync_failed`.
 */
export async function removeBytes(environment: Environment, id: string, removal = INTERRUPTED): Promise<void> {
  const { layout, sync } = environment
  await rm(layout.incomingFile(id), { force: true })
  await rm(layout.finishedFolder(id), { force: true, recursive: true })
  await rm(layout.journal(id), { force: true })
  await environment.quarantine.remove(id)
  removal.onStep('bytes')
  const tombstone = path.join(layout.leaving, id)
  const isRemembered = removal.isRemembered ?? !(await readTombstone(tombstone))?.isOfRefused
  if (isRemembered && !removal.isWhole) await keepOwner(environment, id)
  await rm(layout.record(id), { force: true })
  // The last record of a group takes its directory with it.
  await rmdir(layout.recordFolder(id)).then(
    () => environment.recordFolders.forget(layout.recordFolder(id)),
    () => undefined,
  )
  removal.onStep('record')
  if (sync === 'always') await syncRemoval(environment, id)
  if (isRemembered) await ifThere(() => rename(tombstone, path.join(layout.gone, id)))
  else await rm(tombstone, { force: true })
}

/** The tombstone of an upload whose removal has begun; while it lacks its text, the record has the owner. */
export async function leavingTombstone(environment: Environment, id: string): Promise<Tombstone | undefined> {
  const tombstone = await readTombstone(path.join(environment.layout.leaving, id))
  if (tombstone === undefined || tombstone.isWhole) return tombstone
  const record = await readRecord(environment, id).catch(() => 'torn' as const)
  return typeof record === 'string' ? tombstone : { ...tombstone, owner: record.owner }
}

/** Repeats the owner in a tombstone without text: the removed bytes may have made room for it. */
async function keepOwner(environment: Environment, id: string): Promise<void> {
  const tombstone = await leavingTombstone(environment, id)
  if (tombstone?.isWhole !== false || tombstone.owner === undefined) return
  const place = path.join(environment.layout.leaving, id)
  await completeTombstone(place, 'deleted', tombstone.owner).catch(() => undefined)
}

/** Runs before the tombstone leaves the directory that the start cleans up: a power cut must not revive the upload. */
async function syncRemoval({ layout, directorySync }: Environment, id: string): Promise<void> {
  const folders = [layout.incoming, layout.files, layout.records, layout.recordFolder(id)]
  await Promise.all(folders.map((folder) => ifThere(() => directorySync.sync(folder))))
}
