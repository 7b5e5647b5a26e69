import { UploadError } from '../core/errors.ts'
import { pacer } from '../core/pacer.ts'
import type { Uploads } from '../core/uploads.ts'
import type { IndexRow } from './index/rows.ts'
import type { IndexThread } from './index-thread.ts'
import { factsOfLive, rowOf, storedFacts } from './upload-facts.ts'

/** How many uploads are looked at concurrently: most of the time, that waits for the store. */
const CONCURRENT_LOOKS = 4

/** So many uploads go to the worker at a time. */
const BATCH = 500

/**
 * A walk over the store that fills the index, while uploads change. A change wins over what the walk has seen of the
 * same upload, because it may be older.
 */
export class Walk {
  readonly #uploads: Uploads
  readonly #thread: IndexThread
  /** Uploads that are being looked at, and whether they have changed meanwhile. */
  readonly #looking = new Map<string, boolean>()
  /** What the worker does not have yet; `undefined` for an upload that is gone. */
  #seen = new Map<string, IndexRow | undefined>()
  #partitions = 0
  #walked = 0
  #isStopped = false
  /** How many uploads it has looked at. */
  looked = 0
  isOver = false

  constructor(uploads: Uploads, thread: IndexThread) {
    this.#uploads = uploads
    this.#thread = thread
  }

  /** From 0 to 1; `null` before anything is known. */
  get progress(): number | null {
    return this.#partitions === 0 ? null : this.#walked / this.#partitions
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Notes that an upload has changed. */
  changed(id: string): void {
    if (this.#looking.has(id)) this.#looking.set(id, true)
    this.#seen.delete(id)
  }

  /**
   * @param isRefresh skips finished uploads that the index has.
   * @returns whether it came to its end. @throws UploadError `storage_error`, `index_building` when the worker ends.
   */
  async run(isRefresh: boolean): Promise<boolean> {
    try {
      const { catalog } = this.#uploads
      const partitions = await catalog.partitions()
      this.#partitions = partitions.length
      for (const partition of partitions) {
        if (this.#isStopped) return false
        const ids = await catalog.partition(partition)
        await this.#look(isRefresh ? await this.#thread.ask({ kind: 'unsettled', ids }) : ids)
        this.#walked += 1
      }
      if (isRefresh) await this.#forget(await catalog.gone(new Date()))
      await this.#send()
      return !this.#isStopped
    } finally {
      this.isOver = true
    }
  }

  async #look(ids: readonly string[]): Promise<void> {
    const left = ids.values()
    const pause = pacer()
    const lookAtNext = async (): Promise<void> => {
      for (const id of left) {
        if (this.#isStopped) return
        await this.#lookAt(id)
        if (this.#seen.size >= BATCH) await this.#send()
        await pause()
      }
    }
    await Promise.all(Array.from({ length: CONCURRENT_LOOKS }, lookAtNext))
  }

  async #lookAt(id: string): Promise<void> {
    this.looked += 1
    this.#looking.set(id, false)
    try {
      const live = this.#uploads.peek(id)
      const facts = (live && (await factsOfLive(live))) ?? (await storedFacts(this.#uploads, id))
      if (this.#looking.get(id) === false) this.#seen.set(id, facts && rowOf(facts))
    } catch (error) {
      // One upload that cannot be read must not hide the others.
      if (!(error instanceof UploadError)) throw error
    } finally {
      this.#looking.delete(id)
    }
  }

  async #forget(gone: readonly string[]): Promise<void> {
    for (const id of gone) {
      this.#seen.set(id, undefined)
      if (this.#seen.size >= BATCH) await this.#send()
    }
  }

  async #send(): Promise<void> {
    const seen = [...this.#seen]
    this.#seen = new Map()
    const rows = seen.flatMap(([, row]) => (row === undefined ? [] : [row]))
    const gone = seen.flatMap(([id, row]) => (row === undefined ? [id] : []))
    await this.#thread.ask({ kind: 'apply', changes: { rows, gone } })
  }
}
