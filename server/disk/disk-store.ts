import type { Stats } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { systemCode, UploadError } from '../core/errors.ts'
import { add, type Range, total } from '../core/ranges.ts'
import { bytesIn } from '../core/reader.ts'
import { isUploadId, type UploadRecord } from '../core/record.ts'
import type { Found, Store, StoredUpload } from '../core/store.ts'
import { adoptFileStore } from './adopt.ts'
import { DirectorySync } from './directory-sync.ts'
import { ifThere, onDisk, onDiskWithoutBytes } from './disk-error.ts'
import { DiskUpload } from './disk-upload.ts'
import type { Environment, Step, SyncMode } from './environment.ts'
import { Journal } from './journal.ts'
import { Layout, RECORD_ENDING } from './layout.ts'
import { writeNewFile } from './new-file.ts'
import { type Owner, takeOwnership } from './owner.ts'
import { turns } from './queue.ts'
import { createRecord, readRecord, replaceRecord } from './record-file.ts'
import { RecordFolders } from './record-folders.ts'
import { prepareFolders, recover } from './recovery.ts'
import { withAccess } from './refusal.ts'
import { lastChange, removeBytes, syncLanding } from './upload-files.ts'

export interface DiskStoreOptions {
  readonly directory: string
  readonly sync: SyncMode
  /** The machine's boot, `bootId()`; tests change it to play a reboot. */
  readonly boot: string
  /** Told of things found at the start that an operator should know, in one sentence each. */
  readonly onNotice: (sentence: string) => void
  readonly onStep?: (step: Step) => void
}

/** After how long the system has surely written what nobody has synced, in milliseconds; it takes half a minute or so. */
const WRITTEN_AFTER = 60 * 60 * 1000

/** Uploads in a folder of a local file system. State is where the file is; the rename is the commit. */
export class DiskStore implements Store {
  readonly #environment: Environment
  readonly #owner: Owner
  readonly #openedAt = Date.now()

  private constructor(environment: Environment, owner: Owner) {
    this.#environment = environment
    this.#owner = owner
  }

  /**
   * Takes the folder over, puts right what a crash left behind, and adopts what @tus/file-store left in it.
   *
   * @throws Error with a sentence for the operator when the folder cannot be used or belongs to a running process.
   */
  static async open(options: DiskStoreOptions): Promise<DiskStore> {
    const layout = new Layout(options.directory)
    const directorySync = new DirectorySync()
    const environment: Environment = {
      layout,
      sync: options.sync,
      boot: options.boot,
      directorySync,
      recordFolders: new RecordFolders(layout, options.sync === 'never' ? undefined : directorySync),
      inTurn: turns(),
      onStep: options.onStep ?? (() => undefined),
    }
    return withAccess(environment.layout, async () => {
      await prepareFolders(environment.layout, environment.sync !== 'never')
      const owner = await takeOwnership(environment.layout)
      try {
        await recover(environment, options.onNotice)
        await adoptFileStore(environment, options.onNotice)
      } catch (error) {
        await owner.release()
        throw error
      }
      return new DiskStore(environment, owner)
    })
  }

  async create(asked: UploadRecord): Promise<StoredUpload> {
    const { layout, sync, onStep } = this.#environment
    const record = this.#marked(asked)
    return onDiskWithoutBytes(async () => {
      const file = await open(layout.incomingFile(record.id), 'wx')
      onStep('create:bytes')
      try {
        await this.#createRecordFor(record, sync === 'always')
        if (sync === 'always') await this.#syncCreation(record.id)
      } catch (error) {
        await file.close()
        throw error
      }
      onStep('create:record')
      return new DiskUpload(this.#environment, { record, received: [], journal: undefined, file })
    })
  }

  async createFinished(asked: UploadRecord, bytes: readonly Buffer[]): Promise<StoredUpload> {
    const { layout, sync, onStep } = this.#environment
    const record = this.#marked(asked)
    const durable = sync !== 'never'
    if (bytesIn(bytes) !== record.length) {
      throw new UploadError('storage_error', 'The bytes of the file are not as many as were declared.')
    }
    return onDiskWithoutBytes(async () => {
      const incoming = layout.incomingFile(record.id)
      const { mtime, size } = await writeNewFile(incoming, bytes, durable ? 'data' : 'none')
      onStep('whole:bytes')
      await this.#createRecordFor(record, durable)
      onStep('whole:record')
      const received = add([], { start: 0, end: size })
      const folder = layout.finishedFolder(record.id)
      let isFolderMade = false
      try {
        await mkdir(folder)
        isFolderMade = true
        onStep('whole:folder')
        await rename(incoming, path.join(folder, record.fileName))
        onStep('whole:renamed')
        if (durable) await syncLanding(this.#environment, record.id)
        onStep('whole:directories')
      } catch (error) {
        // A folder that was there stays.
        await unmake([...(isFolderMade ? [folder] : []), incoming, layout.record(record.id)])
        throw error
      }
      return new DiskUpload(this.#environment, { record, received, journal: undefined, finishedAt: mtime })
    })
  }

  /** The record of bytes that have just been made; without it they are none. */
  async #createRecordFor(record: UploadRecord, durable: boolean): Promise<void> {
    try {
      await createRecord(this.#environment, record, durable).catch(async (error: unknown) => {
        const found = systemCode(error) === 'EEXIST' && (await readRecord(this.#environment, record.id))
        if (typeof found !== 'object' || !(await this.#isOnlyRecord(found))) throw error
        await replaceRecord(this.#environment, record)
      })
    } catch (error) {
      await rm(this.#environment.layout.incomingFile(record.id), { force: true })
      throw error
    }
  }

  /**
   * Whether a record is all that there is of a final upload, not even a tombstone: a power cut has taken the name of its bytes before its
   * creation was on the disk. Its id is made of its parts, which can only be put together if it is free again; others count as gone.
   */
  async #isOnlyRecord({ id, fileName, parts, failed }: UploadRecord): Promise<boolean> {
    if (parts === undefined || failed !== undefined) return false
    const { layout } = this.#environment
    const places = [path.join(layout.leaving, id), path.join(layout.gone, id)]
    const found = await Promise.all([...places, path.join(layout.finishedFolder(id), fileName)].map(exists))
    return !found.includes(true)
  }

  /** Without it there is no such upload. */
  async #syncCreation(id: string): Promise<void> {
    const { layout, directorySync } = this.#environment
    try {
      await Promise.all([directorySync.sync(layout.incoming), directorySync.sync(layout.recordFolder(id))])
    } catch (error) {
      await unmake([layout.incomingFile(id), layout.record(id)])
      throw error
    }
  }

  /** A new record says during which boot the bytes come. */
  #marked(record: UploadRecord): UploadRecord {
    return { ...record, mark: { boot: this.#environment.boot, synced: 0 } }
  }

  async open(id: string): Promise<Found> {
    if (!isUploadId(id)) return { kind: 'unknown' }
    return onDisk(async () => {
      const { layout } = this.#environment
      if (await exists(path.join(layout.leaving, id))) {
        // Its removal could not be ended when it began; the next start is the last chance.
        await removeBytes(this.#environment, id).catch(() => undefined)
        return { kind: 'gone' }
      }
      const record = await readRecord(this.#environment, id)
      if (record === 'torn') return { kind: 'unknown' }
      if (record === 'none') return { kind: (await exists(path.join(layout.gone, id))) ? 'gone' : 'unknown' }
      if (record.joined && record.length !== null) {
        const received = add([], { start: 0, end: record.length })
        return { kind: 'upload', upload: new DiskUpload(this.#environment, { record, received, journal: undefined }) }
      }
      // The file moves from `incoming` to `files` once: looked for again so that it is not missed on its way.
      const upload =
        (await this.#openIncoming(record)) ?? (await this.#openFinished(record)) ?? (await this.#openIncoming(record))
      if (upload !== undefined) return { kind: 'upload', upload }
      return { kind: (await this.#isOnlyRecord(record)) ? 'unknown' : 'gone' }
    })
  }

  async group(group: string): Promise<readonly string[]> {
    const names = await onDisk(() => ifThere(() => readdir(this.#environment.layout.groupFolder(group))))
    return (names ?? [])
      .filter((name) => name.endsWith(RECORD_ENDING))
      .map((name) => name.slice(0, -RECORD_ENDING.length))
      .filter((id) => isUploadId(id) && id.startsWith(`${group}.`))
  }

  async unfinished(): Promise<readonly { readonly id: string; readonly lastChange: Date }[]> {
    const ids = (await onDisk(() => readdir(this.#environment.layout.incoming))).filter(isUploadId)
    const found: { id: string; lastChange: Date }[] = []
    for (const id of ids) found.push({ id, lastChange: await onDisk(() => lastChange(this.#environment, id)) })
    return found
  }

  async gone(deadline: Date): Promise<readonly string[]> {
    const { layout } = this.#environment
    const ids = (await onDisk(() => readdir(layout.gone))).filter(isUploadId)
    const found: string[] = []
    for (const id of ids) {
      const stats = await onDisk(() => ifThere(() => stat(path.join(layout.gone, id))))
      if (stats !== undefined && stats.mtime < deadline) found.push(id)
    }
    return found
  }

  async forget(id: string): Promise<void> {
    await onDisk(() => rm(path.join(this.#environment.layout.gone, id), { force: true }))
  }

  async close(): Promise<void> {
    await this.#owner.release()
  }

  async #openIncoming(record: UploadRecord): Promise<StoredUpload | undefined> {
    const stats = await ifThere(() => stat(this.#environment.layout.incomingFile(record.id)))
    if (stats === undefined) return undefined
    const upload = await this.#openAsItIs(record, stats.size)
    if (this.#environment.sync === 'always') await this.#secure(upload)
    return upload
  }

  /**
   * With SYNC=always nobody is told of anything that is not on the disk: the process before this one may have been killed
   * before its syncs, or had another setting.
   */
  async #secure(upload: DiskUpload): Promise<void> {
    try {
      await upload.secure()
    } catch (error) {
      if (!(error instanceof UploadError) || error.code !== 'sync_failed') throw error
      // Tried again it might be called good.
      const failed = { code: error.code, message: error.message }
      await upload.update((record) => ({ ...record, failed: record.failed ?? failed }))
    }
  }

  async #openAsItIs(record: UploadRecord, size: number): Promise<DiskUpload> {
    const { layout, boot } = this.#environment
    const synced: Range = { start: 0, end: record.mark?.synced ?? 0 }
    const journaled = await Journal.load(layout.journal(record.id), boot, synced)
    if (journaled !== undefined) {
      const { journal, content } = journaled
      const unsynced = total(content.received) - total(content.synced)
      return new DiskUpload(this.#environment, { record, received: content.received, journal, unsynced })
    }
    if (record.mark?.boot === boot) {
      const received = add([], { start: 0, end: size })
      const unsynced = size - synced.end
      return new DiskUpload(this.#environment, { record, received, journal: undefined, unsynced })
    }
    return this.#openAfterReboot(record, Math.min(size, synced.end))
  }

  /** What was written but not synced before the machine went down cannot be trusted: it is cut off. */
  async #openAfterReboot(record: UploadRecord, trusted: number): Promise<DiskUpload> {
    const file = await open(this.#environment.layout.incomingFile(record.id), 'r+')
    try {
      await file.truncate(trusted)
      await file.datasync()
    } finally {
      await file.close()
    }
    const marked: UploadRecord = { ...record, mark: { boot: this.#environment.boot, synced: trusted } }
    await replaceRecord(this.#environment, marked)
    const received = add([], { start: 0, end: trusted })
    return new DiskUpload(this.#environment, { record: marked, received, journal: undefined })
  }

  async #openFinished(record: UploadRecord): Promise<StoredUpload | undefined> {
    const final = path.join(this.#environment.layout.finishedFolder(record.id), record.fileName)
    const stats = await ifThere(() => stat(final))
    if (stats === undefined) return undefined
    if (this.#environment.sync !== 'never' && this.#isFresh(stats)) await syncLanding(this.#environment, record.id)
    const received = add([], { start: 0, end: stats.size })
    return new DiskUpload(this.#environment, { record, received, journal: undefined, finishedAt: stats.mtime })
  }

  /**
   * Whether a process before this one may have been killed right after the rename, before its syncs: it has changed the file's
   * ctime. What is older the system has written by itself.
   */
  #isFresh({ ctimeMs }: Stats): boolean {
    return ctimeMs <= this.#openedAt && ctimeMs > this.#openedAt - WRITTEN_AFTER
  }
}

/** Removes what nobody was told of: no tombstone is needed, for which there may be no space. */
async function unmake(places: readonly string[]): Promise<void> {
  for (const place of places) await rm(place, { recursive: true, force: true }).catch(() => undefined)
}

async function exists(file: string): Promise<boolean> {
  return (await ifThere(() => stat(file))) !== undefined
}
