import { UploadError } from '../core/errors.ts'
import type { Environment } from './environment.ts'
import { syncPath } from './files.ts'
import type { Unsynced } from './unsynced.ts'

/** An upload starts a sync in the background after this many new bytes, which also keeps the last sync short. */
const SYNC_EVERY = 64 * 1024 * 1024

/** The parts of an upload that its background sync needs. */
interface SyncedUpload {
  readonly file: string
  /**
   * Remembers which bytes count now.
   *
   * @returns a function that marks those bytes as synced; it returns `false` if they have to be synced again.
   */
  readonly marker: () => () => Promise<boolean>
  /** Called after a failed sync. */
  readonly onFailure: () => Promise<void>
}

/** Counts the unsynced bytes of an upload, and syncs them in the background. Only SYNC=finish needs it. */
export class BackgroundSync implements Unsynced {
  readonly #environment: Environment
  readonly #upload: SyncedUpload
  #unsynced = 0
  #running: Promise<void> | undefined
  #failure: UploadError | undefined

  constructor(environment: Environment, upload: SyncedUpload) {
    this.#environment = environment
    this.#upload = upload
  }

  get unsynced(): number {
    return this.#unsynced
  }

  /** Why a sync failed. A failed sync is final. */
  get failure(): UploadError | undefined {
    return this.#failure
  }

  /** Adds unsynced bytes. */
  add(bytes: number): void {
    if (bytes === 0 || this.#environment.sync !== 'finish') return
    this.#unsynced += bytes
    this.#environment.unsynced.note(this, bytes)
  }

  /** No byte needs a sync now. */
  clear(): void {
    this.#environment.unsynced.forget(this)
    this.#unsynced = 0
  }

  startIfDue(): void {
    if (this.#unsynced >= SYNC_EVERY) this.startMarking()
  }

  startMarking(): void {
    if (this.#running !== undefined) return
    this.#running = this.#environment.unsynced
      .sync(this, () => this.#mark())
      .finally(() => {
        this.#running = undefined
      })
    this.#unsynced = 0
  }

  /** Waits for the running sync, which may not cover the latest bytes. */
  async settled(): Promise<void> {
    await this.#running
  }

  async #mark(): Promise<void> {
    const mark = this.#upload.marker()
    try {
      await syncPath(this.#upload.file, 'data')
    } catch (error) {
      // A file that could not be opened is synced another time.
      if (error instanceof UploadError) this.#failure = error
      // If the disk refuses that, too, it is tried again when the upload is closed.
      await this.#upload.onFailure().catch(() => undefined)
      return
    }
    try {
      // The next put starts another sync.
      if (!(await mark())) this.add(SYNC_EVERY)
    } catch {
      // Without this mark, a power cut discards more bytes, nothing else; the next mark replaces it.
    }
  }
}
