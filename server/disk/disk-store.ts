import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Carried, Removed } from '../core/depot.ts'
import { isUploadId, type UploadRecord } from '../core/record.ts'
import type { Found, Prepared, Space, Store, StoredUpload, UnfinishedUpload, UploadSummary } from '../core/store.ts'
import { withAccess } from './access.ts'
import { createFinishedUpload, createUpload } from './create-upload.ts'
import { checkFormat, prepareFolders, writeFormat } from './data-directory.ts'
import { DirectoryFormat } from './directory-format.ts'
import { DirectorySync } from './directory-sync.ts'
import { diskError, onDisk } from './disk-error.ts'
import type { Environment, Step, SyncMode } from './environment.ts'
import { exposures } from './exposure.ts'
import { ifThere, namesIn } from './files.ts'
import { FinishedFolders } from './finished-folders.ts'
import { type ForeignBytes, importUpload } from './import-upload.ts'
import { idsOf, Layout } from './layout.ts'
import { linkUpload } from './link-upload.ts'
import { lastChangeOf, openUpload, summary } from './open-upload.ts'
import { type Owner, takeOwnership } from './owner.ts'
import { placeTombstone, placeUpload } from './place-upload.ts'
import { Quarantine } from './quarantine.ts'
import { RecordFolders } from './record-folders.ts'
import { Recovery } from './recovery.ts'
import { eraseUpload } from './removal.ts'
import { sharedDiskNotices } from './shared-disk.ts'
import { spaceOf } from './space.ts'
import { UnsyncedUploads } from './unsynced.ts'

export interface DiskStoreOptions {
  readonly directory: string
  readonly sync: SyncMode
  /** The boot of the host, `bootId()`; tests change it to simulate a reboot. */
  readonly boot: string
  /** Receives notices for the operator, one sentence each. */
  readonly onNotice: (sentence: string) => void
  /** Maximum bytes of rejected files that are kept. */
  readonly maxRejected?: number
  readonly onStep?: (step: Step) => void
  /** Permissions of finished files, as for chmod(2); 0640 by default. */
  readonly fileMode?: number
  /** Permissions of the directories that lead to finished files, as for chmod(2); 0750 by default. */
  readonly folderMode?: number
}

/** How many uploads are looked at at once. */
const AT_ONCE = 16

/** Uploads in a directory of a local file system. The place of a file is its state; the rename is the commit. */
export class DiskStore implements Store {
  readonly maxLength = Number.MAX_SAFE_INTEGER
  readonly idleKept = 1_000
  readonly isShared = false
  readonly #environment: Environment
  readonly #owner: Owner
  readonly #recovery: Recovery
  readonly #openedAt = Date.now()

  private constructor(environment: Environment, owner: Owner, recovery: Recovery) {
    this.#environment = environment
    this.#owner = owner
    this.#recovery = recovery
  }

  /**
   * Takes ownership of the directory, repairs what a crash left, and adopts uploads of @tus/file-store. In a large
   * directory the repair continues after this has returned.
   *
   * @throws Error with a sentence for the operator when the directory cannot be used or belongs to a running process.
   */
  static async open(options: DiskStoreOptions): Promise<DiskStore> {
    const { sync, boot, onNotice, onStep = () => undefined } = options
    const layout = new Layout(options.directory)
    return withAccess(layout, async () => {
      await checkFormat(layout)
      const { fileMode: file = 0o640, folderMode: folder = 0o750 } = options
      const modes = await prepareFolders(layout, { file, folder }, sync !== 'never')
      const notices = [...(await exposures(layout)), ...(await sharedDiskNotices(layout.root))]
      for (const sentence of notices) onNotice(sentence)
      const directorySync = new DirectorySync()
      const durably = sync === 'never' ? undefined : directorySync
      const recordFolders = new RecordFolders(layout, durably)
      const format = new DirectoryFormat(layout, () => onStep('format:raised'))
      const finishedFolders = new FinishedFolders({ layout, format, permission: modes.folder, sync: durably, onStep })
      const unsynced = new UnsyncedUploads()
      const quarantine = new Quarantine(layout, options.maxRejected ?? 0)
      const folders = { format, recordFolders, finishedFolders }
      const environment = { layout, modes, sync, boot, directorySync, ...folders, unsynced, quarantine, onStep }
      const owner = await takeOwnership(layout)
      const recovery = new Recovery(environment, onNotice)
      try {
        // A full disk must not prevent the start, and without the file the format is still 1.
        await writeFormat(layout).catch(() => onNotice(`${layout.format} could not be written.`))
        await recovery.begin()
      } catch (error) {
        await owner.release()
        throw error
      }
      return new DiskStore(environment, owner, recovery)
    })
  }

  create(record: UploadRecord): Promise<StoredUpload> {
    return onDisk(() => this.#recovery.beforeCreation(record.id, () => createUpload(this.#environment, record)))
  }

  createFinished(
    record: UploadRecord,
    bytes: readonly Buffer[],
    prepare?: () => Promise<Prepared>,
  ): Promise<StoredUpload> {
    const create = (): Promise<StoredUpload> => createFinishedUpload(this.#environment, record, bytes, prepare)
    return onDisk(() => this.#recovery.beforeCreation(record.id, create))
  }

  createFrom(record: UploadRecord, source: StoredUpload): Promise<StoredUpload> {
    const create = (): Promise<StoredUpload> => linkUpload(this.#environment, record, source.record)
    return onDisk(() => this.#recovery.beforeCreation(record.id, create))
  }

  /** Imports an upload of another server: see `importUpload`. @throws the OS error, UploadError `sync_failed`. */
  importUpload(record: UploadRecord, bytes: ForeignBytes): Promise<void> {
    return this.#recovery.beforeCreation(record.id, () => importUpload(this.#environment, record, bytes))
  }

  /** Makes an upload of another store one of this: see `placeUpload`. @throws UploadError like `Depot.place`. */
  placeUpload(upload: Carried): Promise<void> {
    const place = (): Promise<void> => placeUpload(this.#environment, upload)
    return onDisk(() => this.#recovery.beforeCreation(upload.record.id, place))
  }

  /** Makes a tombstone of another store one of this. @throws UploadError `no_space`, `storage_error`. */
  placeTombstone(removed: Removed): Promise<void> {
    return onDisk(() => placeTombstone(this.#environment, removed))
  }

  /** Removes an upload, or a tombstone, without a trace, but what was rejected. @throws UploadError `storage_error`. */
  async erase(id: string): Promise<void> {
    await onDisk(() => eraseUpload(this.#environment, id))
  }

  async open(id: string): Promise<Found> {
    if (!isUploadId(id)) return { kind: 'unknown' }
    await onDisk(() => this.#recovery.beforeOpening(id))
    return openUpload(this.#environment, id, this.#openedAt)
  }

  async group(group: string): Promise<readonly string[]> {
    const names = await onDisk(() => ifThere(() => readdir(this.#environment.layout.groupFolder(group))))
    return idsOf(names ?? []).filter((id) => id.startsWith(`${group}.`))
  }

  async newest(start: string, most: number): Promise<readonly string[]> {
    const ids = (await this.group(start.split('.', 1)[0] ?? start)).filter((id) => id.startsWith(`${start}.`))
    const found: { readonly id: string; readonly time: number }[] = []
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const batch = ids.slice(at, at + AT_ONCE)
      found.push(...(await Promise.all(batch.map(async (id) => ({ id, time: (await this.lastChange(id)).getTime() })))))
    }
    return found
      .sort((a, b) => a.time - b.time)
      .slice(-most)
      .map(({ id }) => id)
  }

  partitions(): Promise<readonly string[]> {
    return onDisk(() => readdir(this.#environment.layout.records))
  }

  async partition(name: string): Promise<readonly string[]> {
    const names = await onDisk(() => ifThere(() => readdir(this.#environment.layout.groupFolder(name))))
    return idsOf(names ?? [])
  }

  partitionOf(id: string): string {
    return path.basename(this.#environment.layout.recordFolder(id))
  }

  summary(id: string): Promise<UploadSummary | undefined> {
    return onDisk(() => summary(this.#environment, id))
  }

  async *unfinished(): AsyncGenerator<UnfinishedUpload> {
    for await (const id of this.due()) yield { id, lastChange: () => this.lastChange(id) }
  }

  async *due(): AsyncGenerator<string> {
    try {
      for await (const name of namesIn(this.#environment.layout.incoming)) if (isUploadId(name)) yield name
    } catch (error) {
      throw diskError(error)
    }
  }

  lastChange(id: string): Promise<Date> {
    return onDisk(() => lastChangeOf(this.#environment, id))
  }

  async gone(deadline: Date): Promise<readonly string[]> {
    const { layout } = this.#environment
    const found: string[] = []
    await onDisk(async () => {
      for await (const id of namesIn(layout.gone)) {
        if (!isUploadId(id)) continue
        const stats = await ifThere(() => stat(path.join(layout.gone, id)))
        if (stats !== undefined && stats.mtime < deadline) found.push(id)
      }
    })
    return found
  }

  goneSince(id: string): Promise<Date | undefined> {
    const { layout } = this.#environment
    return onDisk(async () => {
      const places = [layout.leaving, layout.gone].map((folder) => path.join(folder, id))
      const [leaving, gone] = await Promise.all(places.map((place) => ifThere(() => stat(place))))
      return (leaving ?? gone)?.mtime
    })
  }

  async forget(id: string): Promise<void> {
    await onDisk(() => rm(path.join(this.#environment.layout.gone, id), { force: true }))
  }

  async tidy(): Promise<void> {
    // The start repairs everything.
  }

  pathOf(record: UploadRecord, isFinished: boolean): string {
    const { layout } = this.#environment
    return isFinished ? layout.finishedFile(record) : layout.incomingFile(record.id)
  }

  space(): Promise<Space> {
    return spaceOf(this.#environment.layout.root)
  }

  async close(): Promise<void> {
    await this.#recovery.stop()
    await this.#owner.release()
  }
}
