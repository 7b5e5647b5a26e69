import type { Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { UploadError } from '../core/errors.ts'
import { add, type Range, type Ranges, total } from '../core/ranges.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Found, StoredUpload, UploadSummary } from '../core/store.ts'
import { onDisk } from './disk-error.ts'
import { DiskUpload, type Opened } from './disk-upload.ts'
import type { Environment } from './environment.ts'
import { exists, ifThere, withExisting } from './files.ts'
import { Journal } from './journal.ts'
import { markRecord, readRecord } from './record-file.ts'
import { leavingTombstone, removeBytes } from './removal.ts'
import { isReadmittable } from './take-back.ts'
import { readTombstone } from './tombstone.ts'
import { finishedAtOf, isOnlyRecord, lastChange, occupiedBy, syncLanding } from './upload-files.ts'

/** After this time the OS has certainly written unsynced data, in milliseconds; it takes about half a minute. */
const WRITTEN_AFTER = 60 * 60 * 1000

/**
 * Opens an upload with only those bytes that can be trusted after a crash or a reboot.
 *
 * @param startedAt when this process took ownership of the data directory, in milliseconds since 1970.
 * @throws UploadError `no_space`, `storage_error`.
 */
export async function openUpload(environment: Environment, id: string, startedAt: number): Promise<Found> {
  return onDisk(async () => {
    const { layout } = environment
    const leaving = await leavingTombstone(environment, id)
    if (leaving !== undefined) {
      // Its removal was interrupted; if this attempt fails, the next start completes it.
      await removeBytes(environment, id).catch(() => undefined)
      return leaving.isOfRefused ? { kind: 'unknown' } : { kind: 'gone', owner: leaving.owner }
    }
    const record = await readRecord(environment, id)
    if (record === 'torn') return { kind: 'unknown' }
    if (record === 'none') {
      const gone = await readTombstone(path.join(layout.gone, id))
      return gone === undefined ? { kind: 'unknown' } : { kind: 'gone', owner: gone.owner }
    }
    if (record.joined && record.length !== null) {
      const received = add([], { start: 0, end: record.length })
      return { kind: 'upload', upload: new DiskUpload(environment, { record, received, journal: undefined }) }
    }
    // The file may move from `incoming` to `files` between the attempts.
    const upload =
      (await openIncoming(environment, record)) ??
      (await openFinished(environment, record, startedAt)) ??
      (await openIncoming(environment, record))
    if (upload !== undefined) return { kind: 'upload', upload }
    if (record.failed?.code === 'rejected') return openRejected(environment, record)
    return (await isOnlyRecord(environment, record)) ? { kind: 'unknown' } : { kind: 'gone', owner: record.owner }
  })
}

/** The summary of an upload, without opening it; `undefined` if it could not be opened. @throws the OS error. */
export async function summary(environment: Environment, id: string): Promise<UploadSummary | undefined> {
  const { layout } = environment
  if (await exists(path.join(layout.leaving, id))) return undefined
  const record = await readRecord(environment, id)
  if (record === 'torn' || record === 'none') return undefined
  // The file may move from `incoming` to `files` between the attempts.
  const isUnfinished = record.joined || (await exists(layout.incomingFile(id)))
  const finished = !isUnfinished && (await exists(layout.finishedFile(record)))
  if (!isUnfinished && !finished) return undefined
  return {
    record,
    finished,
    received: () => onDisk(() => receivedOf(environment, record, finished)),
    isQuarantined: () => onDisk(() => isReadmittable(environment, record)),
    occupied: () => onDisk(() => occupiedBy(environment, record)),
  }
}

/** The bytes that count, unless opening the upload repairs something. @throws the OS error. */
async function receivedOf({ layout, boot }: Environment, record: UploadRecord, finished: boolean): Promise<Ranges> {
  const { id, length, joined, mark } = record
  if (finished || joined || record.failed?.code === 'rejected') return add([], { start: 0, end: length ?? 0 })
  const synced: Range = { start: 0, end: mark?.synced ?? 0 }
  const journaled = await Journal.view(layout.journal(id), boot, synced)
  if (journaled !== undefined) return journaled
  const size = (await ifThere(() => lstatFile(layout.incomingFile(id))))?.size ?? 0
  return add([], { start: 0, end: mark?.boot === boot ? size : Math.min(size, synced.end) })
}

/** `lastChange` of an upload whose record is not known. @throws the OS error. */
export async function lastChangeOf(environment: Environment, id: string): Promise<Date> {
  const time = await lastChange(environment, { id })
  if (time.getTime() > 0) return time
  const record = await readRecord(environment, id)
  return typeof record === 'string' || record.folder === undefined ? time : lastChange(environment, record)
}

async function openIncoming(environment: Environment, record: UploadRecord): Promise<StoredUpload | undefined> {
  const stats = await ifThere(() => lstatFile(environment.layout.incomingFile(record.id)))
  if (stats === undefined) return undefined
  const upload = await openAsItIs(environment, record, stats.size)
  if (environment.sync === 'always') await secure(upload)
  return upload
}

/** A crash interrupted the move into the quarantine. */
async function openRejected(environment: Environment, record: UploadRecord): Promise<Found> {
  await environment.quarantine.take(record.id)
  return { kind: 'upload', upload: new DiskUpload(environment, { record, received: [], journal: undefined }) }
}

/**
 * With SYNC=always, everything reported to a client is on disk. The previous process may have been killed before its
 * syncs, or had another setting.
 */
async function secure(upload: DiskUpload): Promise<void> {
  try {
    await upload.secure()
  } catch (error) {
    if (!(error instanceof UploadError) || error.code !== 'sync_failed') throw error
    // A second sync would succeed without the bytes.
    const failed = { code: error.code, message: error.message }
    await upload.update((record) => ({ ...record, failed: record.failed ?? failed }))
  }
}

async function openAsItIs(environment: Environment, record: UploadRecord, size: number): Promise<DiskUpload> {
  const { layout, boot } = environment
  const synced: Range = { start: 0, end: record.mark?.synced ?? 0 }
  const journaled = await Journal.load(layout.journal(record.id), boot, synced)
  if (journaled !== undefined) {
    const { journal, content } = journaled
    const end = content.received.at(-1)?.end ?? 0
    // The previous process was killed before it cut off refused bytes.
    if (size > end) await withExisting(layout.incomingFile(record.id), (file) => file.truncate(end))
    const unsynced = total(content.received) - total(content.synced)
    return openUnsynced(environment, { record, received: content.received, journal, unsynced })
  }
  if (record.mark?.boot === boot) {
    const received = add([], { start: 0, end: size })
    return openUnsynced(environment, { record, received, journal: undefined, unsynced: Math.max(0, size - synced.end) })
  }
  return openAfterReboot(environment, record, size, Math.min(size, synced.end))
}

/** Cuts off the unsynced bytes of an earlier boot. */
async function openAfterReboot(
  environment: Environment,
  record: UploadRecord,
  size: number,
  trusted: number,
): Promise<DiskUpload> {
  const { layout, boot } = environment
  if (size > trusted) {
    await withExisting(layout.incomingFile(record.id), async (file) => {
      await file.truncate(trusted)
      await file.datasync()
    })
  }
  const marked: UploadRecord = { ...record, mark: { boot, synced: trusted } }
  await markRecord(environment, marked)
  const received = add([], { start: 0, end: trusted })
  return new DiskUpload(environment, { record: marked, received, journal: undefined })
}

/** Waits until an upload with unsynced bytes may be opened. */
async function openUnsynced(environment: Environment, opened: Opened): Promise<DiskUpload> {
  const { unsynced, sync } = environment
  const leave = opened.unsynced !== 0 && sync === 'finish' ? await unsynced.enter() : undefined
  try {
    return new DiskUpload(environment, opened)
  } finally {
    leave?.()
  }
}

async function openFinished(
  environment: Environment,
  record: UploadRecord,
  startedAt: number,
): Promise<StoredUpload | undefined> {
  const stats = await ifThere(() => lstatFile(environment.layout.finishedFile(record)))
  if (stats === undefined) return undefined
  if (record.folder !== undefined) await environment.finishedFolders.check(record.folder)
  if (environment.sync !== 'never' && isFresh(stats, startedAt)) await syncLanding(environment, record)
  const received = add([], { start: 0, end: stats.size })
  return new DiskUpload(environment, {
    record,
    received,
    journal: undefined,
    finishedAt: finishedAtOf(record, stats.mtime),
  })
}

/** @throws Error for anything but a regular file: another user may have planted it. */
async function lstatFile(file: string): Promise<Stats> {
  const stats = await lstat(file)
  if (!stats.isFile()) throw new Error(`${file} is not a regular file.`)
  return stats
}

/**
 * Whether an earlier process may have been killed between the rename, which changes the ctime, and its syncs. The OS
 * has written older changes by itself.
 */
function isFresh({ ctimeMs }: Stats, startedAt: number): boolean {
  return ctimeMs <= startedAt && ctimeMs > startedAt - WRITTEN_AFTER
}
