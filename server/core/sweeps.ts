import { accountOf, chargeOf, dependsOnBlocks, growsWithBytes, NO_CHARGE, overheadOf } from './charge.ts'
import { stopping, UploadError } from './errors.ts'
import type { Ledger } from './ledger.ts'
import { pacer } from './pacer.ts'
import type { UploadRecord } from './record.ts'
import type { Recount } from './recount.ts'
import type { Departure, Store, UploadSummary } from './store.ts'
import { unlessMissing } from './unless-missing.ts'
import type { Upload } from './upload.ts'

/** How many uploads a recount looks at concurrently: most of the time, it waits for the disk. */
const CONCURRENT_COUNTS = 4

/** `Uploads.use`. */
type Use = <T>(id: string, work: (upload: Upload) => Promise<T>) => Promise<T>

/** Passes over all uploads in the background: what a crash interrupted is resumed, and what is too old is removed. */
export class Sweeps {
  readonly #store: Store
  readonly #use: Use
  readonly #running = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()
  #closed = false

  constructor(store: Store, use: Use) {
    this.#store = store
    this.#use = use
  }

  /**
   * Resumes finishing that a crash interrupted, in the background.
   *
   * @param also also called with each of these uploads.
   */
  async resume(also: (upload: Upload) => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#sweep(async () => {
      const pause = pacer()
      for await (const id of this.#store.due(this.#closing.signal)) {
        if (this.#closed) return
        await this.#tryUse(id, async (upload) => {
          // Not awaited: the next upload need not wait for this one.
          upload.finish(0).catch(() => undefined)
          await also(upload)
        })
        await pause()
      }
    })
  }

  /** Removes unfinished uploads without a new byte since `deadline`. @returns how many. */
  async expire(deadline: Date): Promise<number> {
    return this.#sweep(async () => {
      let expired = 0
      const pause = pacer()
      for await (const { id, lastChange } of this.#store.unfinished()) {
        if (this.#closed) break
        const isStale = await isBefore(deadline, lastChange)
        if (isStale && (await this.#tryUse(id, (upload) => this.#expire(upload, deadline)))) expired += 1
        await pause()
      }
      return expired
    })
  }

  /** Removes tombstones from before `deadline`. @returns how many. */
  async forgetGone(deadline: Date): Promise<number> {
    return this.#sweep(async () => {
      let forgotten = 0
      for (const id of await this.#store.gone(deadline)) {
        if (this.#closed) break
        await this.#store.forget(id)
        forgotten += 1
      }
      return forgotten
    })
  }

  /** Removes what crashes have left. */
  async tidy(): Promise<void> {
    await this.#sweep(() => this.#store.tidy(this.#closing.signal))
  }

  /** Counts what all uploads cost, in the background. */
  async recount(ledger: Ledger): Promise<void> {
    await this.#sweep(async () => {
      const pause = pacer()
      const recount = ledger.beginRecount((id) => this.#store.partitionOf(id))
      try {
        for (const partition of recount.partitions(await this.#store.partitions())) {
          const ids = (await recount.open(partition, (name) => this.#store.partition(name))).values()
          const countNext = async (): Promise<void> => {
            for (const id of ids) {
              if (this.#closed) return
              await this.#count(id, ledger, recount)
              await pause()
            }
          }
          await Promise.all(Array.from({ length: CONCURRENT_COUNTS }, countNext))
          if (this.#closed) return
        }
        recount.complete()
      } finally {
        ledger.endRecount()
      }
    })
  }

  /** Calls `found` with the record of each finished upload, in the background. */
  async eachFinished(found: (record: UploadRecord) => void): Promise<void> {
    await this.#sweep(async () => {
      const pause = pacer()
      for (const partition of await this.#store.partitions()) {
        for (const id of await this.#store.partition(partition)) {
          if (this.#closed) return
          const summary = await this.#summary(id)
          if (summary?.finished) found(summary.record)
          await pause()
        }
      }
    })
  }

  /** Removes those of the parts whose bytes were in a final upload that is gone: nothing else would. */
  async forgetJoined(parts: readonly string[], why: Departure): Promise<void> {
    for (const id of parts) {
      await unlessMissing(this.#use(id, async (part) => part.record.joined && part.remove(why)))
    }
  }

  /** Ends running sweeps early and waits for them; none begins any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#closing.abort()
    await Promise.allSettled(this.#running)
  }

  /**
   * Expires an upload, unless related uploads keep it: a part stays while its final upload can be created or read, and
   * a final upload while one of its parts receives bytes. A byte that reaches a part after this check is too late.
   *
   * @throws UploadError when a related upload cannot be read: it may still exist, so this one stays.
   */
  async #expire(upload: Upload, deadline: Date): Promise<boolean> {
    const { final, parts } = upload.record
    if (final !== undefined) {
      const state = await unlessMissing(this.#use(final, async ({ state }) => state))
      if (state !== undefined && state !== 'failed' && state !== 'gone') return false
    }
    for (const id of parts ?? []) {
      const lastChange = await unlessMissing(this.#use(id, (part) => part.lastChange()))
      if (lastChange !== undefined && lastChange >= deadline) return false
    }
    const expired = await upload.removeIfIdle(deadline)
    if (expired) await this.forgetJoined(parts ?? [], 'expired')
    return expired
  }

  async #count(id: string, ledger: Ledger, recount: Recount): Promise<void> {
    const counted = (): boolean => {
      const tracked = ledger.tracked(id)
      return tracked?.charge !== undefined && recount.count(id, tracked.account, tracked.charge)
    }
    for (;;) {
      recount.look(id)
      if (counted()) return
      const found = await this.#summary(id)
      // It was opened meanwhile, and may be about to change.
      if (counted()) return
      if (found === undefined) {
        if (recount.count(id, undefined, NO_CHARGE)) return
      } else if (growsWithBytes(found) && found.record.failed === undefined && !found.record.joined) {
        // Only an opened upload knows which bytes count.
        recount.look(id)
        const isCounted = await this.#tryUse(id, async () => counted())
        if (isCounted ?? recount.count(id, undefined, NO_CHARGE)) return
      } else {
        const { record, finished } = found
        const state = { record, received: [], finished, removed: false }
        const occupied = dependsOnBlocks(state) ? (await found.occupied()).bytes : 0
        const charge = chargeOf(state, overheadOf(record), occupied)
        if (recount.count(id, accountOf(record), charge)) return
      }
    }
  }

  /** An upload that cannot be read must not block the others. */
  async #summary(id: string): Promise<UploadSummary | undefined> {
    try {
      return await this.#store.summary(id)
    } catch (error) {
      if (error instanceof UploadError) return undefined
      throw error
    }
  }

  /** Runs a sweep: it ends early when the service stops, and the store is closed only after it. */
  async #sweep<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw stopping()
    const sweep = work()
    this.#running.add(sweep)
    try {
      return await sweep
    } finally {
      this.#running.delete(sweep)
    }
  }

  /** Runs `work` on an upload, unless it cannot be opened. */
  async #tryUse<T>(id: string, work: (upload: Upload) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#use(id, work)
    } catch (error) {
      // One upload that is gone or cannot be read must not block the others.
      if (error instanceof UploadError) return undefined
      throw error
    }
  }
}

/** Checked before an upload is opened: most are not stale. */
async function isBefore(deadline: Date, lastChange: () => Promise<Date>): Promise<boolean> {
  try {
    return (await lastChange()) < deadline
  } catch (error) {
    // Skipped, like an upload that cannot be opened.
    if (error instanceof UploadError) return false
    throw error
  }
}
