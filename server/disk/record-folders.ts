import type { DirectorySync } from './directory-sync.ts'
import { makeFolder } from './files.ts'
import type { Layout } from './layout.ts'
import { PRIVATE_FOLDER } from './modes.ts'

/** Maximum remembered directories. */
const MAX_REMEMBERED = 10_000

/**
 * Creates the directories of records. A record is not on disk before its directory is, so concurrent calls for one
 * directory wait for the same sync.
 */
export class RecordFolders {
  readonly #records: string
  readonly #sync: DirectorySync | undefined
  readonly #made = new Map<string, Promise<void>>()

  /** @param sync makes them durable; without it, the OS decides when to write them. */
  constructor({ records }: Layout, sync: DirectorySync | undefined) {
    this.#records = records
    this.#sync = sync
  }

  /** Returns when the directory exists, and is on disk. @throws the OS error, UploadError `sync_failed`. */
  make(folder: string): Promise<void> {
    const known = this.#made.get(folder)
    if (known !== undefined) return known
    const made = this.#make(folder)
    if (this.#made.size >= MAX_REMEMBERED) this.#made.clear()
    this.#made.set(folder, made)
    made.catch(() => this.forget(folder))
    return made
  }

  /** Call this when the directory was removed. */
  forget(folder: string): void {
    this.#made.delete(folder)
  }

  async #make(folder: string): Promise<void> {
    await makeFolder(folder, PRIVATE_FOLDER)
    await this.#sync?.sync(this.#records)
  }
}
