import type { QueueOptions } from './options.ts'
import { randomId } from './random-id.ts'
import { StoredRows } from './stored-rows.ts'
import { holdRows } from './tabs.ts'
import type { UploadItem } from './upload-item.ts'

/** The rows of an element that the browser keeps for a later visit. */
export class KeptRows {
  /** The rows of all elements. */
  readonly stored = new StoredRows()
  /** Marks the rows of this element. */
  readonly owner = randomId()
  /** Whose rows these are; undefined before that is known. */
  scope: string | undefined
  readonly #options: QueueOptions
  /** What the stored rows say, so that progress writes nothing. */
  readonly #saved = new WeakMap<UploadItem, string>()

  /** Holds the rows until `left` aborts. */
  constructor(options: QueueOptions, left: AbortSignal) {
    this.#options = options
    holdRows(this.owner, left)
  }

  /** Keeps a row for a later visit. Refused files, and rows that only compare, are not kept. */
  save(item: UploadItem): void {
    const { id, name, path, size, type, state, url, handle, added } = item
    if (!this.#options.resumes || this.scope === undefined || state === 'comparing') return
    if (item.refused) {
      this.forget(item)
      return
    }
    const kept = state === 'finished' ? 'finished' : state === 'paused' ? 'paused' : 'queued'
    const now = `${kept} ${url}`
    if (this.#saved.get(item) === now) return
    this.#saved.set(item, now)
    const { owner, scope } = this
    const { fingerprint } = item
    this.stored.put({ id, scope, owner, name, path, size, type, state: kept, url, fingerprint, handle, added })
  }

  /** Removes the row of an item. */
  forget(item: UploadItem): void {
    this.#saved.delete(item)
    this.stored.delete(item.id)
  }
}
