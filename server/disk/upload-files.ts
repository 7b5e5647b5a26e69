import type { Stats } from 'node:fs'
import { type FileHandle, lstat, stat } from 'node:fs/promises'
import path from 'node:path'
import type { UploadRecord } from '../core/record.ts'
import type { Occupied } from '../core/store.ts'
import type { Environment } from './environment.ts'
import { exists, ifThere, openToRead } from './files.ts'
import type { Permission } from './modes.ts'

/**
 * When the last byte of an unfinished upload arrived, by its file and its journal, or when a finished one was renamed.
 */
export async function lastChange(
  { layout }: Environment,
  { id, folder }: Pick<UploadRecord, 'id' | 'folder'>,
): Promise<Date> {
  const files = [layout.incomingFile(id), layout.journal(id)]
  const found = await Promise.all(files.map((file) => ifThere<Stats>(() => stat(file))))
  const times = found.flatMap((stats) => (stats === undefined ? [] : [stats.mtimeMs]))
  if (times.length > 0) return new Date(Math.max(...times))
  const landed = await ifThere<Stats>(() => stat(layout.finishedFolder(id, folder)))
  return new Date(landed?.mtimeMs ?? 0)
}

/** Opens the file of an upload to read it, finished or not. @throws the OS error. */
export async function openBytes({ layout, finishedFolders }: Environment, record: UploadRecord): Promise<FileHandle> {
  const incoming = layout.incomingFile(record.id)
  if (record.folder !== undefined) await finishedFolders.check(record.folder)
  // The file may move from `incoming` to `files` between the attempts.
  return (
    (await ifThere(() => openToRead(incoming))) ??
    (await ifThere(() => openToRead(layout.finishedFile(record)))) ??
    (await openToRead(incoming))
  )
}

/** When a file was finished. The links of a file have one time of change: that of its first upload. */
export function finishedAtOf({ copied, createdAt }: UploadRecord, changed: Date): Date {
  return copied ? new Date(createdAt) : changed
}

/** The size of the blocks that stat(2) counts, in bytes. */
const STAT_BLOCK = 512

/** What the files of an upload occupy: of bytes that several uploads share, its share. */
export async function occupiedBy({ layout }: Environment, record: UploadRecord): Promise<Occupied> {
  const { id } = record
  const look = (place: string): Promise<Stats | undefined> => ifThere(() => lstat(place))
  // The file may move from `incoming` to `files` between the attempts.
  const bytes =
    (await look(layout.incomingFile(id))) ??
    (await look(layout.finishedFile(record))) ??
    (await look(layout.incomingFile(id)))
  const own = bytes && { ...bytes, blocks: Math.ceil(bytes.blocks / Math.max(1, bytes.nlink)) }
  const others = [layout.finishedFolder(id, record.folder), layout.journal(id), layout.record(id)]
  const found = [own, ...(await Promise.all(others.map(look)))].flatMap((stats) =>
    stats === undefined ? [] : [stats.blocks * STAT_BLOCK],
  )
  return { bytes: found.reduce((sum, bytes) => sum + bytes, 0), files: found.length }
}

/**
 * Makes the directory of a file that is about to be finished, and the folder that it is in.
 *
 * @param make makes one directory, with these permissions.
 * @throws what `make` throws; the OS error, UploadError `sync_failed`.
 */
export async function makeFinishedFolder(
  { layout, modes, finishedFolders }: Environment,
  { id, folder }: UploadRecord,
  make: (folder: string, permission: Permission) => Promise<void>,
): Promise<void> {
  const makeOwn = (): Promise<void> => make(layout.finishedFolder(id, folder), modes.folder)
  await (folder === undefined ? makeOwn() : finishedFolders.within(folder, makeOwn))
}

/** Makes the directory entries of a finished upload durable. Concurrent calls share the syncs. */
export async function syncLanding(
  { layout, directorySync, finishedFolders }: Environment,
  { id, folder }: UploadRecord,
): Promise<void> {
  if (folder !== undefined) await finishedFolders.make(folder)
  const own = layout.finishedFolder(id, folder)
  const folders = [own, path.dirname(own), layout.incoming, layout.recordFolder(id)]
  await Promise.all(folders.map((folder) => directorySync.sync(folder)))
}

/**
 * Whether a record is an orphan: a final upload without bytes or a tombstone, because a power cut came before its
 * creation was on disk. Its id is derived from its parts, so it must become free again; other uploads count as gone.
 */
export async function isOnlyRecord({ layout }: Environment, record: UploadRecord): Promise<boolean> {
  const { id, parts, failed } = record
  if (parts === undefined || failed !== undefined) return false
  const places = [path.join(layout.leaving, id), path.join(layout.gone, id)]
  const found = await Promise.all([...places, layout.finishedFile(record)].map(exists))
  return !found.includes(true)
}
