import type { Stats } from 'node:fs'
import { type FileHandle, lstat, stat } from 'node:fs/promises'
import path from 'node:path'
import type { UploadRecord } from '../core/record.ts'
import type { Occupied } from '../core/store.ts'
import type { Environment } from './environment.ts'
import { exists, ifThere, openToRead } from './files.ts'

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

/** Opens the file of an upload to read it, finished or not. @throws the OS error. */
export async function openBytes({ layout }: Environment, { id, fileName }: UploadRecord): Promise<FileHandle> {
  const incoming = layout.incomingFile(id)
  // The file may move from `incoming` to `files` between the attempts.
  return (
    (await ifThere(() => openToRead(incoming))) ??
    (await ifThere(() => openToRead(path.join(layout.finishedFolder(id), fileName)))) ??
    (await openToRead(incoming))
  )
}

/** The size of the blocks that stat(2) counts, in bytes. */
const STAT_BLOCK = 512

/** What the files of an upload occupy. */
export async function occupiedBy({ layout }: Environment, { id, fileName }: UploadRecord): Promise<Occupied> {
  const look = (place: string): Promise<Stats | undefined> => ifThere(() => lstat(place))
  const folder = layout.finishedFolder(id)
  // The file may move from `incoming` to `files` between the attempts.
  const bytes =
    (await look(layout.incomingFile(id))) ??
    (await look(path.join(folder, fileName))) ??
    (await look(layout.incomingFile(id)))
  const others = await Promise.all([folder, layout.journal(id), layout.record(id)].map(look))
  const found = [bytes, ...others].flatMap((stats) => (stats === undefined ? [] : [stats.blocks * STAT_BLOCK]))
  return { bytes: found.reduce((sum, bytes) => sum + bytes, 0), files: found.length }
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
