/** How many uploads may have unsynced bytes at once, on the fastest disk and on the slowest. */
const MOST = 1_000
const LEAST = 32
/** How long it should take at most to sync all of them when the service stops, in milliseconds. */
const STOP_WITHIN = 2_000
/** From how many unsynced bytes on, in all uploads together, the background syncs before it is asked to. */
const MOST_BYTES = 512 * 1024 * 1024
/** How many syncs run at once: the rest of the thread pool stays free for writes. */
const AT_ONCE = 2
/** How much the latest sync weighs in the average. */
const WEIGHT = 0.1

/** An upload that can have bytes which are not synced. */
export interface Unsynced {
  readonly unsynced: number
  /** Starts a sync of them by `UnsyncedUploads.sync`, unless one is under way. */
  startMarking(): void
}

/**
 * The uploads with bytes that may not be on the disk yet. There are never more than the disk can sync while the service stops: the ones
 * that were idle for the longest time are synced in the background, and an upload that would be one too many waits.
 */
export class UnsyncedUploads {
  /** In order of their last write. */
  readonly #uploads = new Set<Unsynced>()
  #latest: Unsynced | undefined
  #bytes = 0
  /** Syncs that run or wait for their turn. */
  #syncing = 0
  #running = 0
  readonly #turns: (() => void)[] = []
  readonly #waiting: (() => void)[] = []
  /** Uploads that have a place and have not noted their bytes yet. */
  #entering = 0
  /** How many syncs there were. */
  #synced = 0
  /** Average duration of a sync, in milliseconds, while `AT_ONCE` of them run. */
  #pace = 0

  /** Notes that `bytes` more bytes of an upload are not synced. */
  note(upload: Unsynced, bytes: number): void {
    this.#bytes += bytes
    // Most writes come from the upload that wrote before.
    if (this.#latest !== upload) {
      this.#uploads.delete(upload)
      this.#uploads.add(upload)
      this.#latest = upload
    }
    this.#syncIdlest()
  }

  /** Notes that nothing of an upload needs a sync any more. Call it before its `unsynced` changes. */
  forget(upload: Unsynced): void {
    if (this.#remove(upload)) this.#admit()
  }

  /**
   * Waits for a place, which an upload without unsynced bytes needs before it notes some. Until the place is left, only the disk may be
   * waited for: a client could keep it from others.
   *
   * @returns what leaves the place: call it when the bytes are noted, or when there are none after all.
   */
  async enter(): Promise<() => void> {
    if (this.#room > 0) this.#entering += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return () => {
      this.#entering -= 1
      this.#admit()
    }
  }

  /** Runs the sync of one upload when its turn comes. Call it before its `unsynced` changes. @throws what `work` throws. */
  async sync(upload: Unsynced, work: () => Promise<void>): Promise<void> {
    this.#syncing += 1
    this.#remove(upload)
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#turns.push(resolve))
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
      // A disk that gets slower leaves too many: then every second that is synced makes room for another one.
      this.#admit(this.#synced % 2)
      this.#syncIdlest()
    }
  }

  get #most(): number {
    // What the disk can do is tried with few.
    if (this.#synced === 0) return LEAST
    return Math.min(MOST, Math.max(LEAST, Math.floor((STOP_WITHIN * AT_ONCE) / this.#pace)))
  }

  /** Half of what is allowed stays: an upload that gets its next bytes soon needs no sync in between. */
  #syncIdlest(): void {
    for (const idlest of this.#uploads) {
      if (this.#syncing >= AT_ONCE || (this.#uploads.size <= this.#most / 2 && this.#bytes <= MOST_BYTES)) return
      idlest.startMarking()
    }
  }

  #remove(upload: Unsynced): boolean {
    if (!this.#uploads.delete(upload)) return false
    if (this.#latest === upload) this.#latest = undefined
    this.#bytes -= upload.unsynced
    return true
  }

  /** How many uploads may still get unsynced bytes; negative when a disk that got slower has left too many. */
  get #room(): number {
    return this.#most - this.#uploads.size - this.#syncing - this.#entering
  }

  /** Lets those in that wait, and at least so many of them. */
  #admit(least = 0): void {
    const admitted = this.#waiting.splice(0, Math.max(this.#room, least))
    this.#entering += admitted.length
    for (const enter of admitted) enter()
  }
}
