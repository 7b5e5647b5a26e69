import { DATABASE } from './has-memory.ts'

/** A row as the browser keeps it over a reload. */
export interface StoredRow {
  readonly id: string
  /** Whose row it is, and at which service. */
  readonly scope: string
  /** The element that shows it. */
  readonly owner: string
  readonly name: string
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly type: string
  readonly state: 'queued' | 'paused' | 'finished'
  /** The URL of the upload, once it is created. */
  readonly url: string | null
  /** The key of the file, once it was read. */
  readonly fingerprint: string | null
  /** Opens the file, where browsers have that. */
  readonly handle: FileSystemFileHandle | null
  /** When it was added, in milliseconds since 1970. */
  readonly added: number
}

const STORE = 'rows'

/**
 * Rows in IndexedDB: the queue, whose files can be opened again, and finished files. Without IndexedDB, as in some
 * private windows, rows are forgotten with the page. Nothing throws.
 */
export class StoredRows {
  readonly #database = open()
  /** What the next transaction writes; null deletes. */
  #pending = new Map<string, StoredRow | null>()
  #writing: Promise<void> = Promise.resolve()

  /** All rows of a scope, oldest first. */
  async of(scope: string): Promise<StoredRow[]> {
    const database = await this.#database
    await this.#writing
    if (database === null) return []
    const rows = await answerOf<StoredRow[]>(database.transaction(STORE).objectStore(STORE).getAll())
    return (rows ?? []).filter((row) => row.scope === scope).sort((one, other) => one.added - other.added)
  }

  /** Stores a row soon: rows of one turn share a transaction. */
  put(row: StoredRow): void {
    this.#write(row.id, row)
  }

  /** Deletes a row soon. */
  delete(id: string): void {
    this.#write(id, null)
  }

  #write(id: string, row: StoredRow | null): void {
    if (this.#pending.size === 0) this.#writing = this.#writing.then(() => this.#flush())
    this.#pending.set(id, row)
  }

  async #flush(): Promise<void> {
    const database = await this.#database
    const pending = this.#pending
    this.#pending = new Map()
    if (database === null) return
    try {
      const store = database.transaction(STORE, 'readwrite').objectStore(STORE)
      for (const [id, row] of pending) if (row === null) store.delete(id)
      for (const row of pending.values()) if (row !== null) store.put(row)
      await new Promise((resolve) => {
        store.transaction.oncomplete = resolve
        store.transaction.onabort = resolve
      })
    } catch {
      // The disk is full, or the visitor has cleared the data of this site.
    }
  }
}

function open(): Promise<IDBDatabase | null> {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(DATABASE, 1)
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' })
      request.onsuccess = () => {
        // Another version of this element, in another tab, must not wait for this one.
        request.result.onversionchange = () => request.result.close()
        resolve(request.result)
      }
      request.onerror = () => resolve(null)
      request.onblocked = () => resolve(null)
    } catch {
      resolve(null)
    }
  })
}

function answerOf<Result>(request: IDBRequest<Result>): Promise<Result | null> {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => resolve(null)
  })
}
