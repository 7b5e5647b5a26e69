import { syncPath } from './files.ts'

/** Syncs directories. Calls for a directory that is being synced share the next sync of it. */
export class DirectorySync {
  readonly #running = new Map<string, Promise<void>>()
  readonly #next = new Map<string, Promise<void>>()

  /** Returns when every change made to the directory before the call is on disk. */
  async sync(directory: string): Promise<void> {
    const running = this.#running.get(directory)
    if (running === undefined) return this.#start(directory)
    // The running sync may have begun before this change, so only a later one covers it.
    const next = this.#next.get(directory)
    if (next !== undefined) return next
    const mine = running
      .catch(() => undefined)
      .then(() => {
        this.#next.delete(directory)
        return this.#start(directory)
      })
    this.#next.set(directory, mine)
    return mine
  }

  #start(directory: string): Promise<void> {
    const mine = syncPath(directory, 'all').finally(() => this.#running.delete(directory))
    this.#running.set(directory, mine)
    return mine
  }
}
