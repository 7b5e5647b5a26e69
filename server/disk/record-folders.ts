import type { DirectorySync } from './directory-sync.ts'
import { makeFolder } from './files.ts'
import type { Layout } from './layout.ts'

/** How many folders are known to be there at most. */
const MOST = 10_000

/**
 * Makes the folders of records. Nothing in a folder is on the disk before the folder itself is: whoever finds one that another has
 * just made waits for the same sync.
 */
export class RecordFolders {
  readonly #records: string
  readonly #sync: DirectorySync | undefined
  readonly #made = new Map<string, Promise<void>>()

  /** @param sync makes them durable; without it that is left to the system. */
  constructor({ records }: Layout, sync: DirectorySync | undefined) {
    this.#records = records
    this.#sync = sync
  }

  /** Returns when the folder has been made, and is on the disk. @throws the system's error, UploadError `sync_failed`. */
  make(folder: string): Promise<void> {
    const known = this.#made.get(folder)
    if (known !== undefined) return known
    const made = this.#make(folder)
    if (this.#made.size >= MOST) this.#made.clear()
    this.#made.set(folder, made)
    made.catch(() => this.forget(folder))
    return made
  }

  /** Somebody has removed it. */
  forget(folder: string): void {
    this.#made.delete(folder)
  }

  async #make(folder: string): Promise<void> {
    await makeFolder(folder)
    await this.#sync?.sync(this.#records)
  }
}
