import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { isUploadId, type UploadRecord } from '../core/record.ts'
import type { Found, Store, StoredUpload } from '../core/store.ts'
import { adoptFileStore } from './adopt.ts'
import { createFinishedUpload, createUpload } from './create-upload.ts'
import { DirectorySync } from './directory-sync.ts'
import { ifThere, onDisk } from './disk-error.ts'
import type { Environment, Step, SyncMode } from './environment.ts'
import { Layout, RECORD_ENDING } from './layout.ts'
import { openUpload } from './open-upload.ts'
import { type Owner, takeOwnership } from './owner.ts'
import { turns } from './queue.ts'
import { RecordFolders } from './record-folders.ts'
import { prepareFolders, recover } from './recovery.ts'
import { withAccess } from './refusal.ts'
import { lastChange } from './upload-files.ts'

export interface DiskStoreOptions {
  readonly directory: string
  readonly sync: SyncMode
  /** The machine's boot, `bootId()`; tests change it to play a reboot. */
  readonly boot: string
  /** Told of things found at the start that an operator should know, in one sentence each. */
  readonly onNotice: (sentence: string) => void
  readonly onStep?: (step: Step) => void
}

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

  create(record: UploadRecord): Promise<StoredUpload> {
    return createUpload(this.#environment, record)
  }

  createFinished(record: UploadRecord, bytes: readonly Buffer[]): Promise<StoredUpload> {
    return createFinishedUpload(this.#environment, record, bytes)
  }

  open(id: string): Promise<Found> {
    return openUpload(this.#environment, id, this.#openedAt)
  }

  async group(group: string): Promise<readonly string[]> {
    const names = await onDisk(() => ifThere(() => readdir(this.#environment.layout.groupFolder(group))))
    return (names ?? [])
      .filter((name) => name.endsWith(RECORD_ENDING))
      .map((name) => name.slice(0, -RECORD_ENDING.length))
      .filter((id) => isUploadId(id) && id.startsWith(`${group}.`))
  }

  async unfinishedIds(): Promise<readonly string[]> {
    return (await onDisk(() => readdir(this.#environment.layout.incoming))).filter(isUploadId)
  }

  async unfinished(): Promise<readonly { readonly id: string; readonly lastChange: Date }[]> {
    const ids = await this.unfinishedIds()
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
}
