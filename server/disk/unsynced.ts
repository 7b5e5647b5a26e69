/** Maximum uploads with unsynced bytes, on the fastest disk and on the slowest. */
const MAX_UPLOADS = 1_000
const MIN_UPLOADS = 32
/** Maximum time to sync all of them when the service stops, in milliseconds. */
const STOP_WITHIN = 2_000
/** Maximum unsynced bytes of all uploads together before the background sync starts early. */
const MAX_BYTES = 512 * 1024 * 1024
/** Concurrent syncs: the rest of the thread pool stays free for writes. */
const MAX_CONCURRENT_SYNCS = 2
/** Weight of the latest sync in the moving average. */
const WEIGHT = 0.1

/** An upload that can have unsynced bytes. */
export interface Unsynced {
  readonly unsynced: number
  /** Starts a sync through `UnsyncedUploads.sync`, unless one is running. */
  startMarking(): void
}

/**
 * The uploads with bytes that may not be on disk yet: never more than the disk can sync while the service stops. The
 * background syncs those that have been idle longest; an upload beyond the limit waits.
 */
export class UnsyncedUploads {
  /** Ordered by last write. */
  readonly #uploads = new Set<Unsynced>()
  #latest: Unsynced | undefined
  #bytes = 0
  /** Syncs that are running or queued. */
  #syncing = 0
  #running = 0
  readonly #turns: (() => void)[] = []
  readonly #waiting: (() => void)[] = []
  /** Admitted uploads that have not noted their bytes yet. */
  #entering = 0
  /** How many syncs have completed. */
  #synced = 0
  /** Moving average duration of a sync, in milliseconds, with `MAX_CONCURRENT_SYNCS` running. */
  #pace = 0

  /** Adds `bytes` unsynced bytes of an upload. */
  note(upload: Unsynced, bytes: number): void {
    this.#bytes += bytes
    // Most writes come from the upload that wrote last.
    if (this.#latest !== upload) {
      this.#uploads.delete(upload)
      this.#uploads.add(upload)
      this.#latest = upload
    }
    this.#syncIdlest()
  }

  /** Removes an upload that no longer needs a sync. Call it before its `unsynced` changes. */
  forget(upload: Unsynced): void {
    if (this.#remove(upload)) this.#admit()
  }

  /**
   * Waits until another upload may get unsynced bytes. Until the returned function is called, wait only for the disk:
   * waiting for a client could block others.
   *
   * @returns a function to call when the bytes are noted, or when there are none after all.
   */
  async enter(): Promise<() => void> {
    if (this.#room > 0) this.#entering += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return () => {
      this.#entering -= 1
      this.#admit()
    }
  }

  /** Syncs one upload when its turn comes. Call it before its `unsynced` changes. @throws what `work` throws. */
  async sync(upload: Unsynced, work: () => Promise<void>): Promise<void> {
    this.#syncing += 1
    this.#remove(upload)
    if (this.#running >= MAX_CONCURRENT_SYNCS) await new Promise<void>((resolve) => this.#turns.push(resolve))
    this.#running += 1
    const before = performance.now()
    try {
      await work()
    } finally {
      const duration = performance.now() - before
      this.#pace = this.#synced === 0 ? duration : this.#pace * (1 - WEIGHT) + duration * WEIGHT
      this.#running -= 1
      this.#syncing -= 1
      this.#synced += 1
      this.#turns.shift()?.()
      // If a slowing disk has left too many, every second sync admits one.
      this.#admit(this.#synced % 2)
      this.#syncIdlest()
    }
  }

  get #most(): number {
    // The speed of the disk is unknown before the first sync.
    if (this.#synced === 0) return MIN_UPLOADS
    return Math.min(MAX_UPLOADS, Math.max(MIN_UPLOADS, Math.floor((STOP_WITHIN * MAX_CONCURRENT_SYNCS) / this.#pace)))
  }

  /** Keeps half of the limit unsynced: an upload that soon receives more needs no sync in between. */
  #syncIdlest(): void {
    for (const idlest of this.#uploads) {
      if (this.#syncing >= MAX_CONCURRENT_SYNCS || (this.#uploads.size <= this.#most / 2 && this.#bytes <= MAX_BYTES))
        return
      idlest.startMarking()
    }
  }

  #remove(upload: Unsynced): boolean {
    if (!this.#uploads.delete(upload)) return false
    if (this.#latest === upload) this.#latest = undefined
    this.#bytes -= upload.unsynced
    return true
  }

  /** How many more uploads may get unsynced bytes; negative if the disk has slowed down. */
  get #room(): number {
    return this.#most - this.#uploads.size - this.#syncing - this.#entering
  }

  /** Admits waiting uploads: as many as there is room for, and at least `least`. */
  #admit(least = 0): void {
    const admitted = this.#waiting.splice(0, Math.max(this.#room, least))
    this.#entering += admitted.length
    for (const enter of admitted) enter()
  }
}
