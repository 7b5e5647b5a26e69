import { taken } from './creation-changes.ts'
import { moved, stopping, UploadError } from './errors.ts'
import { isAccessible, type Principal } from './principal.ts'
import type { UploadRecord } from './record.ts'
import type { Store, StoredUpload } from './store.ts'
import type { Upload } from './upload.ts'

export type Work<T> = (upload: Upload) => Promise<T>

/** Creates an upload in the store. */
type Make = () => Promise<Upload>

interface Entry {
  readonly upload: Promise<Upload>
  /** The upload, once it is open. */
  opened?: Upload
  users: number
  /** Whether a request has used the upload since its closing began. */
  isUsed: boolean
  /** Set while the upload is being removed: until that is over, its id is neither free nor taken. */
  removing?: Promise<void>
}

/**
 * The uploads that are in use, and those that were used last. There is one `Upload` object per id at any time, which
 * keeps its state in one place.
 */
export class OpenUploads {
  readonly #store: Pick<Store, 'open' | 'idleKept'>
  readonly #uploadOf: (stored: StoredUpload) => Upload
  /** In order of last use. */
  readonly #entries = new Map<string, Entry>()
  /** Uploads created by a request that has not succeeded yet, with the record of their creation. */
  readonly #unconfirmed = new WeakMap<Upload, UploadRecord>()
  #closed = false

  constructor(store: Pick<Store, 'open' | 'idleKept'>, uploadOf: (stored: StoredUpload) => Upload) {
    this.#store = store
    this.#uploadOf = uploadOf
  }

  /**
   * Runs `work` on the upload of this id.
   *
   * @param principal whose request this is; without one, `work` is internal.
   * @throws UploadError `not_found`, also if the upload does not exist for the principal; `gone`, and what `work`
   * throws.
   */
  async use<T>(id: string, work: Work<T>, principal?: Principal): Promise<T> {
    return this.#with(id, () => this.#open(id), work, principal)
  }

  /**
   * Runs `work` on the upload that `make` creates.
   *
   * @throws UploadError `internal` if there already is an upload of this id; what `make` and `work` throw.
   */
  async useNew<T>(id: string, make: Make, work: Work<T>, principal?: Principal): Promise<T> {
    return this.#withNew(id, make, work, principal, true)
  }

  /**
   * Runs `work` on the upload that `make` creates, or another request has created. If every request on it fails and no
   * byte counts, it is removed without a trace.
   *
   * @throws UploadError what `make` and `work` throw.
   */
  async useTentative<T>(id: string, make: Make, work: Work<T>, principal?: Principal): Promise<T> {
    const confirmed = async (upload: Upload): Promise<T> => {
      const result = await work(upload)
      this.#unconfirmed.delete(upload)
      return result
    }
    return this.#withNew(id, make, confirmed, principal, false)
  }

  /** The upload of this id, if it is open. Its state may change, and it may be closed at any time. */
  peek(id: string): Upload | undefined {
    const { opened, removing } = this.#entries.get(id) ?? {}
    return removing === undefined && !opened?.isMoved ? opened : undefined
  }

  /** The uploads that are open. */
  *opened(): Generator<Upload> {
    for (const { opened } of this.#entries.values()) if (opened !== undefined && !opened.isMoved) yield opened
  }

  /** Whether an upload can be created with this id. @throws UploadError `storage_error`. */
  async isFree(id: string): Promise<boolean> {
    return !this.#entries.has(id) && (await this.#store.open(id)).kind === 'unknown'
  }

  /** Ends all running requests, keeping their bytes, and opens nothing any more. */
  async end(): Promise<void> {
    this.#closed = true
    const ended = [...this.#entries.values()].map(async (entry) => {
      await entry.removing
      const upload = await entry.upload.catch(() => undefined)
      await upload?.close(stopping())
    })
    await Promise.allSettled(ended)
    this.#entries.clear()
  }

  /**
   * Like `#with`, for an upload that `make` may create.
   *
   * @param isExclusive whether only an upload that `make` has created will do. Otherwise, it is unconfirmed at first.
   */
  async #withNew<T>(
    id: string,
    make: Make,
    work: Work<T>,
    principal: Principal | undefined,
    isExclusive: boolean,
  ): Promise<T> {
    for (;;) {
      let opened = false
      let isOwn = false
      const openOwn = (): Promise<Upload> => {
        isOwn = true
        return isExclusive ? make() : this.#makeUnconfirmed(make)
      }
      const begun = (upload: Upload): Promise<T> => {
        opened = true
        if (isExclusive && !isOwn) throw taken(id)
        return work(upload)
      }
      try {
        return await this.#with(id, openOwn, begun, principal)
      } catch (error) {
        // Another call opened this id just before the upload existed, and this call has shared its result.
        if (opened || !(error instanceof Unknown)) throw error
      }
    }
  }

  async #makeUnconfirmed(make: Make): Promise<Upload> {
    const made = await make()
    this.#unconfirmed.set(made, made.record)
    return made
  }

  async #with<T>(id: string, open: () => Promise<Upload>, work: Work<T>, principal: Principal | undefined): Promise<T> {
    for (;;) {
      for (let known = this.#entries.get(id); known?.removing !== undefined; known = this.#entries.get(id)) {
        await known.removing
      }
      if (this.#closed) throw stopping()
      const known = this.#entries.get(id)
      const entry: Entry = known ?? { upload: open(), users: 0, isUsed: false }
      entry.users += 1
      entry.isUsed = true
      // Set again to keep the map in order of last use.
      this.#entries.delete(id)
      this.#entries.set(id, entry)
      let upload: Upload | undefined
      try {
        upload = await entry.upload
        entry.opened = upload
        if (upload.isMoved) continue
        if (principal !== undefined && !isAccessible(principal, id, upload.record.owner)) throw hidden()
        return await work(upload)
      } catch (error) {
        // Where there are other nodes, it may have been created since that opening began.
        if (error instanceof Unknown && upload === undefined && known !== undefined) {
          this.#forget(id, entry)
          continue
        }
        if (principal === undefined || !(error instanceof Departed)) throw error
        throw isAccessible(principal, id, error.owner) ? error : hidden()
      } finally {
        if (upload?.isMoved) this.#drop(id, entry, upload)
        await this.#leave(id, entry, upload)
        if (this.#entries.size > this.#store.idleKept) this.#evict()
      }
    }
  }

  async #leave(id: string, entry: Entry, upload: Upload | undefined): Promise<void> {
    entry.users -= 1
    if (entry.users > 0) return
    if (upload === undefined || upload.state === 'gone') this.#forget(id, entry)
    else if (!upload.isMoved) await this.#release(id, entry, upload)
  }

  async #release(id: string, entry: Entry, upload: Upload): Promise<void> {
    if (!this.#isBlank(upload) || this.#closed) return upload.release()
    entry.removing = this.#removeRefused(id, entry, upload)
    await entry.removing
  }

  /** Whether the upload was created only for requests that were refused, and has nothing but its creation. */
  #isBlank(upload: Upload): boolean {
    const isUntouched = upload.state === 'receiving' && upload.received.length === 0
    return isUntouched && this.#unconfirmed.get(upload) === upload.record
  }

  /** Removes an upload that was created only for refused requests. */
  async #removeRefused(id: string, entry: Entry, upload: Upload): Promise<void> {
    entry.users += 1
    try {
      await upload.remove('refused')
    } catch {
      // The empty upload expires, or its removal is completed later.
    }
    entry.users -= 1
    delete entry.removing
    if (upload.state === 'gone') this.#forget(id, entry)
  }

  /** Ends the requests of an object that must not be used any more. The upload is opened again after that. */
  #drop(id: string, entry: Entry, upload: Upload): void {
    if (entry.removing !== undefined || this.#entries.get(id) !== entry) return
    const close = async (): Promise<void> => {
      await upload.close(moved()).catch(() => undefined)
      delete entry.removing
      this.#forget(id, entry)
    }
    entry.removing = close()
  }

  /** Closes the least recently used uploads in the background. */
  #evict(): void {
    let surplus = this.#entries.size - this.#store.idleKept
    for (const [id, entry] of this.#entries) {
      if (surplus <= 0) return
      if (entry.users > 0) continue
      surplus -= 1
      // A file that cannot be closed is tried again with the next eviction.
      this.#close(id, entry).catch(() => undefined)
    }
  }

  async #close(id: string, entry: Entry): Promise<void> {
    // Counts as used: the upload must not be opened again before this object is closed.
    entry.users += 1
    entry.isUsed = false
    let upload: Upload | undefined
    let isClosed = false
    try {
      upload = await entry.upload
      // A request that has used it meanwhile may have left something to close.
      isClosed = (await upload.close()) && !entry.isUsed
    } finally {
      if (isClosed) this.#forget(id, entry)
      else await this.#leave(id, entry, upload)
    }
  }

  #forget(id: string, entry: Entry): void {
    if (this.#entries.get(id) === entry) this.#entries.delete(id)
  }

  async #open(id: string): Promise<Upload> {
    const found = await this.#store.open(id)
    if (found.kind === 'gone') throw new Departed(found.owner)
    if (found.kind === 'unknown') throw new Unknown()
    return this.#uploadOf(found.upload)
  }
}

/** The error of an upload of which only a tombstone is left. */
export class Departed extends UploadError {
  readonly owner: string | undefined

  constructor(owner: string | undefined) {
    super('gone', 'This upload is gone.')
    this.owner = owner
  }
}

/** The error of an unknown id. */
export class Unknown extends UploadError {
  constructor() {
    super('not_found', 'There is no such upload.')
  }
}

/** The error of an upload that does not exist for the principal: like that of an unknown id. */
function hidden(): UploadError {
  return new UploadError('not_found', new Unknown().message)
}
